//! What the faces are configured with, besides the engine's limits.

use std::time::Duration;

use ipnet::IpNet;

/// Settings of the faces.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// Whether `log.durability` is `relaxed`; health says so.
    pub relaxed_durability: bool,
    /// Longest silence of a stream; a comment breaks it.
    pub heartbeat: Duration,
    /// Networks whose forwarded client address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Most streams (HTTP/2) open at once on one connection; 0: no HTTP/2.
    pub http2_streams: u32,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            relaxed_durability: false,
            heartbeat: Duration::from_secs(14),
            trusted_proxies: Vec::new(),
            http2_streams: 256,
        }
    }
}
