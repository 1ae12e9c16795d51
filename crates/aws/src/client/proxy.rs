//! Proxies that pass encrypted connections through: `HTTPS_PROXY` and `NO_PROXY`.
//!
//! Plain connections take no proxy, as they are to this machine or its neighbours. What a proxy wants to know of who asks (a
//! name and a password in its address) is told to it alone, and in no error.

use std::fmt;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::transport::{TransportError, connected};

/// The longest head of a proxy's answer.
const LONGEST_HEAD: usize = 8 << 10;

/// A proxy, and who is reached without it.
#[derive(Clone)]
pub struct Proxy {
    host: String,
    port: u16,
    /// The value of `proxy-authorization`, when the address has a name.
    authorization: Option<String>,
    exempt: Vec<String>,
}

/// Without what is secret.
impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Proxy").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Proxy {
    /// Reads an address such as `http://proxy:3128` or `http://name:password@proxy:3128` (percent codes are undone), and the names
    /// that `NO_PROXY` lists.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn parse(url: &str, no_proxy: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        let address = format!("{scheme}://{place}");
        let unusable = |reason: &str| format!("the proxy {address:?} cannot be used: {reason}");
        let uri: http::Uri = address.parse().map_err(|error: http::uri::InvalidUri| unusable(&error.to_string()))?;
        if uri.scheme_str() != Some("http") {
            return Err(unusable("it must begin with http://"));
        }
        let host = uri.host().ok_or_else(|| unusable("it names no host"))?;
        let exempt = no_proxy.split(',').map(|name| name.trim().trim_start_matches("*.").trim_start_matches('.'));
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(80),
            authorization: user.map(authorization),
            exempt: exempt.filter(|name| !name.is_empty()).map(str::to_ascii_lowercase).collect(),
        })
    }

    /// Whether a host is reached by way of it: all but the exempt ones and what is below them.
    pub(super) fn covers(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        !self.exempt.iter().any(|exempt| {
            let exempt = exempt.strip_suffix(&format!(":{port}")).unwrap_or(exempt);
            let above = host.strip_suffix(exempt);
            exempt == "*" || above.is_some_and(|below| below.is_empty() || below.ends_with('.'))
        })
    }

    /// A connection to a host by way of the proxy.
    pub(super) async fn connected(&self, host: &str, port: u16, limit: Duration) -> Result<TcpStream, TransportError> {
        let failed =
            |reason: &str| TransportError::Unreachable(format!("the proxy {}:{}: {reason}", self.host, self.port));
        let mut stream = connected(&self.host, self.port, limit).await.map_err(|error| failed(&error.to_string()))?;
        // An IPv6 address stands in brackets there.
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let mut head = format!("CONNECT {host}:{port} HTTP/1.1\r\nhost: {host}:{port}\r\n");
        if let Some(authorization) = &self.authorization {
            head = head + "proxy-authorization: " + authorization + "\r\n";
        }
        head += "\r\n";
        stream.write_all(head.as_bytes()).await.map_err(|error| failed(&error.to_string()))?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            // Byte by byte, as what comes after the head is not ours to read.
            let byte = stream.read_u8().await.map_err(|error| failed(&error.to_string()))?;
            answer.push(byte);
            if answer.len() > LONGEST_HEAD {
                return Err(failed("its answer is too long"));
            }
        }
        let answer = String::from_utf8_lossy(&answer);
        let line = answer.lines().next().unwrap_or_default();
        if line.split(' ').nth(1).is_some_and(|status| status.starts_with('2')) {
            Ok(stream)
        } else {
            Err(failed(line))
        }
    }
}

/// `Basic`, of a name and a password as addresses have them.
fn authorization(user: &str) -> String {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    format!("Basic {}", base64(&[decoded(name), vec![b':'], decoded(password)].concat()))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        let number = number << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = char::from(ALPHABET[number >> (6 * (3 - place)) & 63]);
            text.push(if place <= group.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Encodings of RFC 4648, section 10, and RFC 7617, section 2.
    #[test]
    fn who_asks_is_told_to_the_proxy_and_to_nobody_else() {
        let encoded = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(encoded, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
        let proxy = Proxy::parse("http://Aladdin:open%20sesame@proxy:3128", "").unwrap();
        assert_eq!(proxy.authorization.as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy", 3128));
        assert!(!format!("{proxy:?}").contains("QWxh"), "{proxy:?}");
        let error = Proxy::parse("socks5://Aladdin:sesame@proxy", "").unwrap_err();
        assert_eq!(error, "the proxy \"socks5://proxy\" cannot be used: it must begin with http://");
    }

    #[test]
    fn exempt_names_hold_for_what_is_below_them() {
        let proxy = Proxy::parse("http://proxy:3128", "127.0.0.1,localhost, .internal,*.example.com,one:8443").unwrap();
        for (host, port, covered) in [
            ("api.sagemaker.eu-central-1.amazonaws.com", 443, true),
            ("127.0.0.1", 443, false),
            ("LOCALHOST", 443, false),
            ("notlocalhost", 443, true),
            ("a.internal", 443, false),
            ("b.example.com", 443, false),
            ("one", 8443, false),
            ("one", 443, true),
        ] {
            assert_eq!(proxy.covers(host, port), covered, "{host}:{port}");
        }
        assert!(!Proxy::parse("proxy", "*").unwrap().covers("any", 443));
        assert!(Proxy::parse("https://proxy", "").is_err());
    }
}
