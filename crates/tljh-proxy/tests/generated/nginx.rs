//! The peer: nginx of Debian, in front of a backend.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

/// With nginx's defaults, but for the size of a head, which is as with us, and for bodies, which are passed on as they
/// come.
const CONFIG: &str = "
daemon off;
master_process off;
pid PLACE/pid;
error_log PLACE/error.log;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path PLACE/body;
    proxy_temp_path PLACE/proxy;
    fastcgi_temp_path PLACE/fastcgi;
    scgi_temp_path PLACE/scgi;
    uwsgi_temp_path PLACE/uwsgi;
    client_max_body_size 0;
    large_client_header_buffers 8 64k;
    keepalive_requests 1000000;
    server {
        listen 127.0.0.1:PORT;
        location / {
            proxy_pass http://127.0.0.1:BACKEND;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Host $host;
        }
    }
}
";

pub struct Nginx {
    pub port: u16,
    child: Child,
    _folder: TempDir,
}

impl Nginx {
    /// On a free port, in front of the backend on that port.
    pub fn start(backend: u16) -> Self {
        // A port that was free may be another's by the time that nginx opens it.
        let started = (0..5).find_map(|_| Self::try_start(backend));
        started.expect("Debian's package nginx is installed, and starts")
    }

    fn try_start(backend: u16) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let config = CONFIG
            .replace("PLACE", folder.path().to_str().unwrap())
            .replace("PORT", &port.to_string())
            .replace("BACKEND", &backend.to_string());
        let path = folder.path().join("nginx.conf");
        std::fs::write(&path, config).unwrap();
        // It ends with whoever started it, however that ends.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "/usr/sbin/nginx", "-e"])
            .arg(folder.path().join("error.log"))
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&path)
            .stderr(Stdio::null())
            .spawn()
            .expect("`setpriv` of util-linux runs");
        // Written when the port is open.
        while !std::fs::metadata(folder.path().join("pid")).is_ok_and(|pid| pid.len() > 0) {
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            sleep(Duration::from_millis(5));
        }
        Some(Self {
            port,
            child,
            _folder: folder,
        })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
