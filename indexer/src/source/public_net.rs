//! Restriction of image downloads to public addresses. A name is resolved once, all its addresses
//! are checked, and only those are connected to, so a name cannot point elsewhere afterwards (DNS
//! rebinding). Redirects are checked the same way.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ureq::{
    Error,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

/// Resolver that rejects names with an address that is not allowed.
#[derive(Debug)]
pub(super) struct CheckedResolver {
    pub allows: fn(IpAddr) -> bool,
}

/// Error: a host that images are not fetched from.
#[derive(Debug, thiserror::Error)]
#[error("{host} is at {address}, which is not a public address")]
struct NotPublic {
    host: String,
    address: IpAddr,
}

impl Resolver for CheckedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let addresses = DefaultResolver::default().resolve(uri, config, timeout)?;
        match addresses.iter().find(|a| !(self.allows)(a.ip())) {
            None => Ok(addresses),
            Some(refused) => Err(Error::Other(Box::new(NotPublic {
                host: uri.host().unwrap_or_default().to_owned(),
                address: refused.ip(),
            }))),
        }
    }
}

/// Returns true if an address belongs to the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0, ..] => true,                        // this network
        [100, b, ..] => b & 0xc0 == 64,         // carrier-grade NAT
        [192, 0, 0, _] => true,                 // protocol assignments
        [192, 88, 99, _] => true,               // 6to4 relays
        [198, b, ..] if b & 0xfe == 18 => true, // benchmarks
        [a, ..] => a >= 240,                    // reserved, broadcast
    };
    !(special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

/// Only global unicast (2000::/3) is public, which excludes loopback, unspecified, IPv4-mapped,
/// NAT64, unique-local, link-local and multicast; some blocks within it are reserved or embed an
/// IPv4 address.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, b, ..] => b >= 0x200 && b != 0xdb8, // protocol assignments (Teredo among them), documentation
        [0x2002, ..] => false,                       // 6to4
        [0x3fff, b, ..] => b >= 0x1000,              // documentation
        [a, ..] => a & 0xe000 == 0x2000,
    }
}
