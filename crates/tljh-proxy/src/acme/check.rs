//! What can be found out before the CA is asked: whether the names lead here.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use super::error::AcmeError;

/// How long a name server gets.
const LIMIT: Duration = Duration::from_secs(20);

/// Where the proxy listens. A CA asks on 80 and 443 whatever they are.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// For HTTP.
    pub http: u16,
    /// For HTTPS.
    pub https: u16,
}

/// Looks all names up. What may be wrong, and may be right behind a router, is given as warnings.
///
/// # Errors
/// A name has no address, so that no CA could find it either.
pub async fn names(names: &[String], ports: Ports) -> Result<Vec<String>, AcmeError> {
    let mut warnings: Vec<String> = warn_of_ports(ports).into_iter().collect();
    for name in names {
        let found = timeout(LIMIT, lookup_host((name.as_str(), 80))).await;
        let found: BTreeSet<IpAddr> = match found {
            Ok(Ok(found)) => found.map(|address| address.ip().to_canonical()).collect(),
            Ok(Err(_)) => BTreeSet::new(),
            Err(_) => return Err(AcmeError::NoAnswerOfDns { name: name.clone() }),
        };
        if found.is_empty() {
            return Err(AcmeError::NoAddress { name: name.clone() });
        }
        warnings.extend(warn_of_addresses(name, &found, is_own, source_towards));
    }
    Ok(warnings)
}

fn warn_of_ports(ports: Ports) -> Option<String> {
    (ports.http != 80 && ports.https != 443).then(|| {
        format!(
            "a CA asks on ports 80 and 443, but the proxy listens on {} and {}: right if a router forwards them",
            ports.http, ports.https
        )
    })
}

fn warn_of_addresses(
    name: &str,
    found: &BTreeSet<IpAddr>,
    is_own: impl Fn(IpAddr) -> bool,
    source_towards: impl Fn(IpAddr) -> Option<IpAddr>,
) -> Option<String> {
    let (own, foreign): (Vec<IpAddr>, Vec<IpAddr>) =
        found.iter().partition(|address| is_own(**address));
    let list = |addresses: &[IpAddr]| {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        addresses.join(", ")
    };
    if found.iter().all(|address| !is_public(*address)) {
        return Some(format!(
            "`{name}` has only addresses of a private network ({}): a public CA cannot reach it",
            list(&found.iter().copied().collect::<Vec<_>>())
        ));
    }
    let stranger = *foreign.first()?;
    if !own.is_empty() {
        return Some(format!(
            "`{name}` leads to this machine, but to {} as well: a CA may ask there",
            list(&foreign)
        ));
    }
    // Behind a router no address of the world is this machine's own.
    let behind_router = source_towards(stranger).is_none_or(|source| !is_public(source));
    Some(if behind_router {
        format!(
            "`{name}` leads to {}, which is none of this machine's own addresses: right if that is its router",
            list(&foreign)
        )
    } else {
        format!(
            "`{name}` leads to {}, and not to this machine: correct the name in DNS, unless something there forwards to it",
            list(&foreign)
        )
    })
}

/// Only a machine's own address can be bound.
fn is_own(address: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

/// The address that this machine speaks from towards another. Nothing is sent.
fn source_towards(address: IpAddr) -> Option<IpAddr> {
    let any = if address.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(SocketAddr::new(address, 80)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Whether the world can reach an address, as far as its number tells.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            // RFC 6598: shared by the customers of a provider.
            let shared = matches!(address.octets(), [100, 64..=127, ..]);
            !(shared
                || address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_multicast())
        }
        IpAddr::V6(address) => {
            !(address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_unspecified()
                || address.is_multicast())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(found: &[&str], own: &[&str], source: &str) -> String {
        let parse = |list: &[&str]| {
            list.iter()
                .map(|address| address.parse().unwrap())
                .collect()
        };
        let (found, own): (BTreeSet<IpAddr>, BTreeSet<IpAddr>) = (parse(found), parse(own));
        let source = source.parse().ok();
        warn_of_addresses("h.org", &found, |one| own.contains(&one), |_| source).unwrap_or_default()
    }

    #[test]
    fn a_name_is_told_to_lead_here_elsewhere_or_to_where_it_cannot_be_known() {
        let here = "203.0.113.5";
        assert_eq!(warning(&[here], &[here], here), "");
        for (found, own, source, words) in [
            (
                &[here][..],
                &[][..],
                "192.168.1.2",
                "right if that is its router",
            ),
            (&[here], &[], "100.64.0.9", "right if that is its router"),
            (&[here], &[], "", "right if that is its router"),
            (&[here], &[], "198.51.100.7", "correct the name in DNS"),
            (
                &[here, "2001:db8::1"],
                &[here],
                here,
                "but to 2001:db8::1 as well",
            ),
            (
                &["10.0.0.1", "fd00::1"],
                &["10.0.0.1"],
                "10.0.0.1",
                "a public CA cannot reach it",
            ),
        ] {
            let warning = warning(found, own, source);
            assert!(warning.contains(words), "{words}: {warning}");
        }
    }

    #[test]
    fn an_address_of_this_machine_is_known() {
        assert!(is_own("127.0.0.1".parse().unwrap()));
        assert!(!is_own("203.0.113.5".parse().unwrap()));
    }
}
