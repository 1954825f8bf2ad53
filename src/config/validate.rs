//! What a configuration must satisfy beyond the types of its keys.

use super::Config;

impl Config {
    /// Refuses settings that make no sense, by key.
    pub(crate) fn validate(&self) -> anyhow::Result<()> {
        let listen = self.server.listen;
        anyhow::ensure!(
            !self.server.data.as_os_str().is_empty(),
            "server.data is empty; name the data directory"
        );
        anyhow::ensure!(
            self.tls.cert.is_some() == self.tls.key.is_some(),
            "tls.cert and tls.key go together: give both or neither"
        );
        anyhow::ensure!(
            listen.ip().is_loopback() || self.tls.files().is_some() || self.server.allow_plain_http,
            "server.listen is {listen}, which is not loopback, and there is no tls.cert: keys and data would travel \
             unencrypted; configure TLS, or allow it with --allow-plain-http (server.allow_plain_http)"
        );
        if let Some(key) = &self.server.root_key {
            anyhow::ensure!(
                !key.expose().is_empty() && key.expose().chars().all(|c| c.is_ascii_graphic()),
                "server.root_key must be visible ASCII characters without spaces"
            );
        }
        if self.security.operator_key.is_some() {
            anyhow::ensure!(
                self.security.key().is_some(),
                "security.operator_key must be 64 hex digits or the base64 of 32 bytes"
            );
        }
        self.validate_sizes()?;
        self.validate_webhooks()
    }

    fn validate_sizes(&self) -> anyhow::Result<()> {
        let limits = &self.limits;
        anyhow::ensure!(
            (64 << 10..=4 << 30).contains(&self.log.segment_bytes),
            "log.segment_bytes is {}; it must be from 64KiB to 4GiB",
            self.log.segment_bytes
        );
        let least_one: [(&str, u64); 18] = [
            ("body_bytes", limits.body_bytes),
            ("document_bytes", limits.document_bytes),
            ("nesting", limits.nesting.into()),
            ("id_bytes", limits.id_bytes.into()),
            ("member_name_bytes", limits.member_name_bytes.into()),
            ("batch_documents", limits.batch_documents.into()),
            ("write_queue", limits.write_queue.into()),
            ("group_events", limits.group_events.into()),
            ("group_bytes", limits.group_bytes),
            ("connections", limits.connections.into()),
            ("connections_per_address", limits.connections_per_address.into()),
            ("connections_per_key", limits.connections_per_key.into()),
            ("streams_per_address", limits.streams_per_address.into()),
            ("ephemeral_bytes", limits.ephemeral_bytes),
            ("subscriptions_per_connection", limits.subscriptions_per_connection.into()),
            ("header_bytes", limits.header_bytes.into()),
            ("header_timeout_ms", limits.header_timeout_ms),
            ("body_timeout_ms", limits.body_timeout_ms),
        ];
        for (key, value) in least_one {
            anyhow::ensure!(value > 0, "limits.{key} is 0; it must be at least 1");
        }
        self.validate_bounds()
    }

    /// What would be refused, or fail, further down.
    fn validate_bounds(&self) -> anyhow::Result<()> {
        let (limits, views, server) = (&self.limits, &self.views, &self.server);
        let bounds: [(&str, u64, u64, u64); 10] = [
            ("limits.id_bytes", limits.id_bytes.into(), 1, 32 << 10),
            ("limits.group_bytes", limits.group_bytes, 1, 512 << 20),
            ("limits.document_bytes", limits.document_bytes, 1, 256 << 20),
            ("limits.body_bytes", limits.body_bytes, 1, 1 << 30),
            ("limits.message_bytes", limits.message_bytes, 1, 64 << 20),
            ("server.heartbeat_ms", server.heartbeat_ms, 100, 15_000),
            ("server.http2_streams", server.http2_streams.into(), 0, 10_000),
            ("views.cache_bytes", views.cache_bytes, 1 << 20, 1 << 40),
            ("views.memtable_bytes", views.memtable_bytes, 1 << 20, 1 << 30),
            ("views.table_bytes", views.table_bytes, 1 << 20, 1 << 30),
        ];
        bounds.into_iter().try_for_each(within)
    }

    fn validate_webhooks(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.webhooks.retry_schedule.is_empty(),
            "webhooks.retry_schedule is empty; it needs at least one attempt, for instance \"0s\""
        );
        let webhooks = &self.webhooks;
        let bounds: [(&str, u64, u64, u64); 8] = [
            ("webhooks.timeout_ms", webhooks.timeout_ms, 1, 600_000),
            ("webhooks.concurrency", webhooks.concurrency.into(), 1, 256),
            ("webhooks.concurrency_total", webhooks.concurrency_total.into(), 2, 65_536),
            ("webhooks.failing_per_second", webhooks.failing_per_second.into(), 1, 1_000_000),
            ("webhooks.outstanding_max", webhooks.outstanding_max.into(), 100, 10_000_000),
            ("webhooks.dead_max", webhooks.dead_max.into(), 1, 10_000_000),
            ("webhooks.commit_interval_ms", webhooks.commit_interval_ms, 0, 60_000),
            ("webhooks.drain_ms", webhooks.drain_ms, 0, 4000),
        ];
        bounds.into_iter().try_for_each(within)
    }
}

/// Refuses a value that is not from a least to a most one.
fn within((key, value, least, most): (&str, u64, u64, u64)) -> anyhow::Result<()> {
    anyhow::ensure!(
        (least..=most).contains(&value),
        "{key} is {value}; it must be from {least} to {most}"
    );
    Ok(())
}
