//! What the server says of its own process, by `/metrics`.

use anyhow::Context;
use reqwest::Method;

use super::Plan;

/// The server's figures of itself.
#[derive(Clone, Copy)]
pub(super) struct Figures {
    /// Resident memory, bytes.
    pub(super) bytes: u64,
    /// Open file descriptors.
    pub(super) descriptors: u64,
}

impl Figures {
    /// Asks the server of `plan`.
    pub(super) async fn read(plan: &Plan) -> anyhow::Result<Self> {
        let request = plan.client.request(Method::GET, &["metrics"], &[]);
        let body = plan.client.body(request).await?;
        let text = std::str::from_utf8(&body).context("/metrics is no text")?;
        let figure = |name| figure(text, name).with_context(|| format!("/metrics has no {name}"));
        Ok(Self {
            bytes: figure("process_resident_memory_bytes")?,
            descriptors: figure("process_open_fds")?,
        })
    }
}

fn figure(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_by_their_whole_name() {
        let text = "# TYPE a gauge\nab 1\na 2\na{label=\"x\"} 3\n";
        assert_eq!(figure(text, "a"), Some(2));
        assert_eq!(figure(text, "b"), None);
    }
}
