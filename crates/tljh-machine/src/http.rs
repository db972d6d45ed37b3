//! Asking services of this machine over HTTP, on loopback, whatever `http_proxy` says.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Deadline of one question.
const ONE_ANSWER: Duration = Duration::from_secs(5);

/// The status with which `path` is answered on `port` of `address` (loopback where it is empty or not an
/// address of its own), redirects not followed; `None` if nobody answers.
pub fn status(address: &str, port: u16, path: &str) -> Option<u16> {
    let host = match address.parse::<IpAddr>() {
        Ok(address) if !address.is_unspecified() => address,
        _ => Ipv4Addr::LOCALHOST.into(),
    };
    let host = if host.is_ipv6() {
        format!("[{host}]")
    } else {
        host.to_string()
    };
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_global(Some(ONE_ANSWER))
        .build()
        .into();
    let answer = agent
        .get(format!("http://{host}:{port}{path}"))
        .call()
        .ok()?;
    Some(answer.status().as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn the_status_of_a_local_service_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream
                .write_all(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
                .unwrap();
        });
        assert_eq!(status("", port, "/"), Some(302));
        server.join().unwrap();
        assert_eq!(status("", port, "/"), None);
    }
}
