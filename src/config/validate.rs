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
                key.expose().len() >= 8 && key.expose().chars().all(|c| c.is_ascii_graphic()),
                "server.root_key must be at least 8 visible ASCII characters without spaces"
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
        let least_one: [(&str, u64); 16] = [
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
            ("subscriptions_per_connection", limits.subscriptions_per_connection.into()),
            ("header_bytes", limits.header_bytes.into()),
            ("header_timeout_ms", limits.header_timeout_ms),
            ("body_timeout_ms", limits.body_timeout_ms),
        ];
        for (key, value) in least_one {
            anyhow::ensure!(value > 0, "limits.{key} is 0; it must be at least 1");
        }
        Ok(())
    }

    fn validate_webhooks(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.webhooks.retry_schedule.is_empty(),
            "webhooks.retry_schedule is empty; it needs at least one attempt, for instance \"0s\""
        );
        anyhow::ensure!(
            (1..=600_000).contains(&self.webhooks.timeout_ms),
            "webhooks.timeout_ms is {}; it must be from 1 to 600000",
            self.webhooks.timeout_ms
        );
        Ok(())
    }
}
