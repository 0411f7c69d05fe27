//! Names to addresses: who is asked, and which of the answer counts.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use config::model::{Dns, LookupFamily, Resolver};

use super::dns;

/// What a name has.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// In the order of the answer.
    pub(super) addresses: Vec<IpAddr>,
    /// The shortest time to live, where the answer has one.
    pub(super) ttl: Option<Duration>,
}

/// The addresses of a name that `dns_lookup_family` leaves.
pub(super) async fn addresses(name: &str, dns: &Dns) -> io::Result<Answer> {
    let answer = match &dns.resolver {
        Resolver::System if dns.respect_ttl => as_the_system(name, dns.family).await?,
        Resolver::System => system(name).await?,
        Resolver::Servers { servers, tcp } => dns::addresses(name, dns.family, servers, *tcp).await?,
    };
    Ok(Answer { addresses: of_family(answer.addresses, dns.family), ..answer })
}

/// The system's resolver (getaddrinfo) reads `/etc/hosts`, the search domains and their changes as every other program
/// on the machine does. It knows no time to live.
async fn system(name: &str) -> io::Result<Answer> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(Answer { addresses: found.map(|address| address.ip()).collect(), ttl: None })
}

/// The same with the time to live: `/etc/hosts`, then the servers and search domains of `/etc/resolv.conf`, both read
/// anew each time.
async fn as_the_system(name: &str, family: LookupFamily) -> io::Result<Answer> {
    let (hosts, resolv) = tokio::task::spawn_blocking(|| {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        (read("/etc/hosts"), read("/etc/resolv.conf"))
    })
    .await
    .map_err(io::Error::other)?;
    let addresses = in_hosts(&hosts, name);
    if !addresses.is_empty() {
        return Ok(Answer { addresses, ttl: None });
    }
    let config = resolv_conf::Config::parse(&resolv).map_err(io::Error::other)?;
    let servers: Vec<SocketAddr> =
        config.nameservers.iter().map(|ip| SocketAddr::new(IpAddr::from(ip), DNS_PORT)).collect();
    let search: Vec<&str> = config.get_search().into_iter().flatten().map(String::as_str).collect();
    let mut answer = Answer::default();
    for name in candidates(name, &search, config.ndots as usize) {
        answer = dns::addresses(&name, family, &servers, config.use_vc).await?;
        if !answer.addresses.is_empty() {
            break;
        }
    }
    Ok(answer)
}

const DNS_PORT: u16 = 53;

/// The addresses that the text of a hosts file gives a name.
fn in_hosts(hosts: &str, name: &str) -> Vec<IpAddr> {
    let of_line = |line: &str| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let ip = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then_some(ip)
    };
    hosts.lines().filter_map(of_line).collect()
}

/// The full names to ask for, in order: one with few dots first under the search domains.
fn candidates(name: &str, search: &[&str], ndots: usize) -> Vec<String> {
    if let Some(full) = name.strip_suffix('.') {
        return vec![full.to_owned()];
    }
    let searched = search.iter().map(|domain| format!("{name}.{}", domain.trim_end_matches('.')));
    let plain = [name.to_owned()];
    if name.matches('.').count() >= ndots {
        plain.into_iter().chain(searched).collect()
    } else {
        searched.chain(plain).collect()
    }
}

fn of_family(found: Vec<IpAddr>, family: LookupFamily) -> Vec<IpAddr> {
    let (v4, v6): (Vec<_>, Vec<_>) = found.into_iter().partition(|ip| ip.to_canonical().is_ipv4());
    match family {
        LookupFamily::V4Only => v4,
        LookupFamily::V6Only => v6,
        LookupFamily::Auto if v6.is_empty() => v4,
        LookupFamily::Auto => v6,
        LookupFamily::V4Preferred if v4.is_empty() => v6,
        LookupFamily::V4Preferred => v4,
        LookupFamily::All => [v4, v6].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_chosen_as_envoy_does() {
        let found: Vec<IpAddr> = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        let chosen = |family, found: &[IpAddr]| of_family(found.to_vec(), family);
        assert_eq!(chosen(LookupFamily::V4Only, &found), found[..1]);
        assert_eq!(chosen(LookupFamily::Auto, &found), found[1..]);
        assert_eq!(chosen(LookupFamily::Auto, &found[..1]), found[..1]);
        assert_eq!(chosen(LookupFamily::V4Preferred, &found[1..]), found[1..]);
        assert_eq!(chosen(LookupFamily::All, &found), found);
    }

    #[test]
    fn hosts_are_found_under_every_name() {
        let hosts =
            "127.0.0.1 localhost # not mimir\n10.0.0.1\tmimir MIMIR.test\n::1 mimir\nnonsense mimir\n";
        assert_eq!(in_hosts(hosts, "mimir.TEST"), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(in_hosts(hosts, "mimir").len(), 2);
        assert!(in_hosts(hosts, "not").is_empty() && in_hosts(hosts, "10.0.0.1").is_empty());
    }

    #[test]
    fn short_names_are_searched_first() {
        let search = ["ns.svc.cluster.local", "svc.cluster.local."];
        assert_eq!(
            candidates("mimir", &search, 5)[..2],
            ["mimir.ns.svc.cluster.local", "mimir.svc.cluster.local"]
        );
        assert_eq!(candidates("mimir.example", &search, 1)[0], "mimir.example");
        assert_eq!(candidates("mimir.", &search, 5), ["mimir"]);
    }
}
