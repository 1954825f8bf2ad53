//! What a workload reached: a table for people, or JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::histogram::Histogram;
use crate::output;

/// The outcome of one workload.
pub(crate) struct Report {
    /// The workload's name.
    pub(super) workload: &'static str,
    /// Connections, or subscribers.
    pub(super) concurrency: usize,
    /// How long it really took.
    pub(super) elapsed: Duration,
    /// What was done: requests, documents, events or deliveries.
    pub(super) operations: u64,
    /// What the operations are.
    pub(super) unit: &'static str,
    /// The latencies.
    pub(super) latencies: Histogram,
    /// Figures of this workload alone: name and value.
    pub(super) more: Vec<(&'static str, u64)>,
    /// What failed or is missing.
    pub(super) errors: u64,
    /// The first failure's words.
    pub(super) first_error: Option<String>,
}

impl Report {
    /// Prints it; anything that failed makes the command fail.
    pub(crate) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            output::line(self.json())?;
        } else {
            self.print_table()?;
        }
        let first = self.first_error.as_deref().unwrap_or("see above");
        anyhow::ensure!(self.errors == 0, "{} errors, the first: {first}", self.errors);
        anyhow::ensure!(self.operations > 0, "nothing was done");
        Ok(())
    }

    fn json(&self) -> Value {
        let mut report = json!({
            "workload": self.workload,
            "concurrency": self.concurrency,
            "seconds": (self.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
            "operations": self.operations,
            "rate_per_second": (self.rate() * 10.0).round() / 10.0,
            "p50_us": self.latencies.quantile(500),
            "p90_us": self.latencies.quantile(900),
            "p99_us": self.latencies.quantile(990),
            "max_us": self.latencies.max(),
            "errors": self.errors,
        });
        for (name, value) in &self.more {
            report[*name] = json!(value);
        }
        report
    }

    fn print_table(&self) -> anyhow::Result<()> {
        let (unit, seconds) = (self.unit, self.elapsed.as_secs_f64());
        output::line(format_args!(
            "{}, {} at once, {seconds:.1} s",
            self.workload, self.concurrency
        ))?;
        output::line(format_args!("  {unit:<12} {:>12}", self.operations))?;
        output::line(format_args!("  {:<12} {:>12.0}", "rate/s", self.rate()))?;
        let latencies = &self.latencies;
        for (name, microseconds) in [
            ("p50", latencies.quantile(500)),
            ("p90", latencies.quantile(900)),
            ("p99", latencies.quantile(990)),
            ("max", latencies.max()),
        ] {
            output::line(format_args!("  {name:<12} {:>9.3} ms", microseconds as f64 / 1000.0))?;
        }
        output::line(format_args!("  {:<12} {:>12}", "errors", self.errors))?;
        for (name, value) in &self.more {
            output::line(format_args!("  {:<32} {value:>12}", name.replace('_', " ")))?;
        }
        Ok(())
    }

    fn rate(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64().max(1e-6)
    }
}
