//! Which addresses the server's own requests may reach (promise S8).
//!
//! Public unicast addresses may; loopback, private, link-local and metadata, shared, multicast, reserved, documentation,
//! benchmarking and unique-local ones may not, nor IPv6 forms that stand for an IPv4 address (mapped, compatible, NAT64,
//! 6to4, Teredo). Networks that the operator allows may be reached; a mapped address counts as its IPv4 address there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// An address that may not be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for String {
    fn from(refused: Refused) -> Self {
        refused.0
    }
}

/// The rule, with the networks that are allowed besides.
#[derive(Debug)]
pub(crate) struct Guard {
    allowed: Vec<IpNet>,
    /// Whether public addresses may be reached besides.
    public: bool,
}

impl Guard {
    /// Public addresses, and networks that are allowed besides.
    pub(crate) fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed, public: true }
    }

    /// These networks alone.
    pub(crate) fn only(allowed: Vec<IpNet>) -> Self {
        Self { allowed, public: false }
    }

    /// Whether an address may be reached.
    pub(crate) fn permits(&self, ip: IpAddr) -> bool {
        let plain = ip.to_canonical();
        let listed = |ip: IpAddr| self.allowed.iter().any(|network| network.contains(&ip));
        listed(ip) || listed(plain) || (self.public && is_public(ip))
    }

    /// Checks the host of a parsed url, where it is an address itself. Names are checked when they are resolved.
    pub(crate) fn check_literal(&self, host: &str) -> Result<(), Refused> {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        match bare.parse::<IpAddr>() {
            Ok(ip) if !self.permits(ip) => Err(refused(host)),
            _ => Ok(()),
        }
    }

    /// Those addresses of a name that may be reached.
    pub(crate) fn vet(
        &self,
        name: &str,
        addresses: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, Refused> {
        let vetted: Vec<_> =
            addresses.into_iter().filter(|address| self.permits(address.ip())).collect();
        if vetted.is_empty() { Err(refused(name)) } else { Ok(vetted) }
    }
}

fn refused(host: &str) -> Refused {
    Refused(format!("`{host}` leads to no address that may be reached (webhooks.allow_networks)"))
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// IPv4 networks that are not public: address and length of the prefix.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let bits = ip.to_bits();
    let within = |(network, prefix): &(Ipv4Addr, u32)| {
        bits >> (32 - prefix) == network.to_bits() >> (32 - prefix)
    };
    !NOT_PUBLIC_V4.iter().any(within)
}

/// IPv6 networks within global unicast (`2000::/3`) that are not public or stand for IPv4 addresses.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    // Special purposes, among them Teredo, benchmarking and ORCHID.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let bits = ip.to_bits();
    let within = |(network, prefix): &(Ipv6Addr, u32)| {
        bits >> (128 - prefix) == network.to_bits() >> (128 - prefix)
    };
    let global_unicast = bits >> 125 == 0b001;
    // ISATAP: the last 64 bits carry an IPv4 address.
    let isatap = matches!(ip.segments(), [.., 0x0 | 0x200, 0x5efe, _, _]);
    global_unicast && !isatap && !NOT_PUBLIC_V6.iter().any(within)
}
