//! A DNS client for clusters whose answers' time to live counts, or whose file names servers of its own; the system's
//! resolver knows neither. Asks for A and AAAA, over UDP and, where an answer does not fit, over TCP. What messages look
//! like on the wire is the library's business.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use config::model::LookupFamily;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::lookup::Answer;

/// One attempt at one server; each gets so many.
const ATTEMPT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// Without an extension no answer over UDP is larger than 512 bytes; some servers do not mind.
const DATAGRAM_MAX: usize = 4096;

/// Asks the servers in turn for all addresses that the family may need, IPv4 first.
pub(super) async fn addresses(
    name: &str,
    family: LookupFamily,
    servers: &[SocketAddr],
    tcp: bool,
) -> io::Result<Answer> {
    let kinds: &[TYPE] = match family {
        LookupFamily::V4Only => &[TYPE::A],
        LookupFamily::V6Only => &[TYPE::AAAA],
        LookupFamily::Auto | LookupFamily::V4Preferred | LookupFamily::All => &[TYPE::A, TYPE::AAAA],
    };
    let mut answer = Answer::default();
    for &kind in kinds {
        let found = ask(name, kind, servers, tcp).await?;
        answer.addresses.extend(found.addresses);
        answer.ttl = found.ttl.into_iter().chain(answer.ttl).min();
    }
    Ok(answer)
}

async fn ask(name: &str, kind: TYPE, servers: &[SocketAddr], tcp: bool) -> io::Result<Answer> {
    let mut last = io::Error::new(ErrorKind::NotFound, "no DNS server is known");
    for &server in servers.iter().cycle().take(servers.len() * ATTEMPTS) {
        let attempt = timeout(ATTEMPT, attempt(name, kind, server, tcp)).await;
        match attempt.unwrap_or_else(|_| Err(io::Error::new(ErrorKind::TimedOut, "no answer in time"))) {
            Ok(answer) => return Ok(answer),
            Err(error) => last = io::Error::new(error.kind(), format!("DNS server {server}: {error}")),
        }
    }
    Err(last)
}

async fn attempt(name: &str, kind: TYPE, server: SocketAddr, tcp: bool) -> io::Result<Answer> {
    let id = fastrand::u16(..);
    let query = query(name, kind, id)?;
    if !tcp && let Some(answer) = over_udp(&query, server, |bytes| read(bytes, id, name, kind)).await? {
        return Ok(answer);
    }
    let bytes = over_tcp(&query, server).await?;
    match read(&bytes, id, name, kind)? {
        Read::Answer(answer) => Ok(answer),
        Read::Truncated | Read::Other => {
            Err(io::Error::new(ErrorKind::InvalidData, "no answer to the question"))
        }
    }
}

fn query(name: &str, kind: TYPE, id: u16) -> io::Result<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).map_err(io::Error::other)?;
    packet.questions.push(Question::new(name, kind.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec().map_err(io::Error::other)
}

/// The answer; `None` if it did not fit.
async fn over_udp(
    query: &[u8],
    server: SocketAddr,
    read: impl Fn(&[u8]) -> io::Result<Read>,
) -> io::Result<Option<Answer>> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // A port of the kernel's choice, which a forger would have to guess.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut buffer = [0; DATAGRAM_MAX];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // What is no answer to this question may be forged, and says nothing of what is still to come.
        match read(buffer.get(..length).unwrap_or_default()) {
            Ok(Read::Answer(answer)) => return Ok(Some(answer)),
            Ok(Read::Truncated) => return Ok(None),
            Ok(Read::Other) => {}
            Err(error) if error.kind() == ErrorKind::InvalidData => {}
            Err(error) => return Err(error),
        }
    }
}

async fn over_tcp(query: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), query].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// What came back.
enum Read {
    Answer(Answer),
    Truncated,
    /// No answer to this question.
    Other,
}

fn read(bytes: &[u8], id: u16, name: &str, kind: TYPE) -> io::Result<Read> {
    let packet =
        Packet::parse(bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))?;
    let is_asked = |question: &Question<'_>| {
        question.qname.to_string().eq_ignore_ascii_case(name.trim_end_matches('.'))
            && question.qtype == QTYPE::TYPE(kind)
            && question.qclass == QCLASS::CLASS(CLASS::IN)
    };
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) || !packet.questions.iter().any(is_asked)
    {
        return Ok(Read::Other);
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Ok(Read::Truncated);
    }
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Ok(Read::Answer(Answer::default())),
        code => return Err(io::Error::other(format!("answers {code:?}"))),
    }
    // Aliases stand before the addresses that they lead to; their time to live counts, too.
    let ttl = packet.answers.iter().map(|record| record.ttl).min();
    let addresses = packet.answers.iter().filter_map(|record| match &record.rdata {
        RData::A(a) if kind == TYPE::A => Some(IpAddr::from(Ipv4Addr::from(a.address))),
        RData::AAAA(aaaa) if kind == TYPE::AAAA => Some(IpAddr::from(Ipv6Addr::from(aaaa.address))),
        _ => None,
    });
    let ttl = ttl.map(|seconds| Duration::from_secs(seconds.into()));
    Ok(Read::Answer(Answer { addresses: addresses.collect(), ttl }))
}

#[cfg(test)]
mod tests {
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, CNAME};

    use super::*;

    fn answer(id: u16, name: &'static str, change: impl FnOnce(&mut Packet<'static>)) -> Vec<u8> {
        let mut packet = Packet::new_reply(id);
        let owned = || Name::new(name).unwrap();
        packet.questions.push(Question::new(owned(), TYPE::A.into(), CLASS::IN.into(), false));
        let alias = Name::new("real.test").unwrap();
        packet.answers.push(ResourceRecord::new(owned(), CLASS::IN, 30, RData::CNAME(CNAME(alias.clone()))));
        let address = RData::A(A { address: Ipv4Addr::new(10, 0, 0, 1).into() });
        packet.answers.push(ResourceRecord::new(alias, CLASS::IN, 60, address));
        change(&mut packet);
        packet.build_bytes_vec().unwrap()
    }

    #[test]
    fn an_alias_shortens_the_time_to_live() {
        let bytes = answer(7, "mimir.test", |_| ());
        let Ok(Read::Answer(answer)) = read(&bytes, 7, "MIMIR.test.", TYPE::A) else { panic!() };
        assert_eq!(answer.addresses, [IpAddr::from([10, 0, 0, 1])]);
        assert_eq!(answer.ttl, Some(Duration::from_secs(30)));
    }

    #[test]
    fn what_was_not_asked_is_no_answer() {
        let bytes = answer(7, "mimir.test", |_| ());
        for (id, name, kind) in
            [(8, "mimir.test", TYPE::A), (7, "other.test", TYPE::A), (7, "mimir.test", TYPE::AAAA)]
        {
            assert!(matches!(read(&bytes, id, name, kind), Ok(Read::Other)), "{id} {name} {kind:?}");
        }
        for cut in 0..bytes.len() {
            assert!(!matches!(read(&bytes[..cut], 7, "mimir.test", TYPE::A), Ok(Read::Answer(_))), "{cut}");
        }
    }

    #[test]
    fn unknown_names_are_empty_and_trouble_is_an_error() {
        let with = |code: RCODE| answer(7, "mimir.test", |packet| *packet.rcode_mut() = code);
        let found = |bytes: &[u8]| read(bytes, 7, "mimir.test", TYPE::A);
        assert!(
            matches!(found(&with(RCODE::NameError)), Ok(Read::Answer(answer)) if answer.addresses.is_empty())
        );
        assert!(found(&with(RCODE::ServerFailure)).is_err());
        let cut = answer(7, "mimir.test", |packet| packet.set_flags(PacketFlag::TRUNCATION));
        assert!(matches!(found(&cut), Ok(Read::Truncated)));
    }
}
