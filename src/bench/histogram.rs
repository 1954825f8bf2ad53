//! Latencies in a log-linear histogram: fixed memory, 1.6% exact, from microseconds to an hour.

/// Steps within each power of two.
const STEPS: u64 = 64;
/// Buckets for every value up to 2^32 microseconds.
const BUCKETS: usize = 64 * 28;

/// Counts of durations in microseconds.
#[derive(Clone)]
pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Histogram {
    /// An empty histogram.
    pub(super) fn new() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, max: 0 }
    }

    /// Counts one duration.
    pub(super) fn record(&mut self, microseconds: u64) {
        let bucket = bucket_of(microseconds).min(BUCKETS - 1);
        self.buckets[bucket] += 1;
        self.count += 1;
        self.max = self.max.max(microseconds);
    }

    /// Adds all of `other`.
    pub(super) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// The duration that `thousandths` of all don't exceed.
    pub(super) fn quantile(&self, thousandths: u64) -> u64 {
        let rank = (self.count * thousandths).div_ceil(1000).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_bound(bucket as u64).min(self.max);
            }
        }
        self.max
    }

    /// The longest duration.
    pub(super) fn max(&self) -> u64 {
        self.max
    }
}

/// Values under 64 have buckets of their own; above, each power of two has 64 steps.
fn bucket_of(value: u64) -> usize {
    if value < STEPS {
        return usize::try_from(value).unwrap_or(BUCKETS);
    }
    let shift = u64::from(value.ilog2()) - 6;
    let step = (value >> shift) - STEPS;
    usize::try_from((shift + 1) * STEPS + step).unwrap_or(BUCKETS)
}

fn upper_bound(bucket: u64) -> u64 {
    if bucket < STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    ((STEPS + bucket % STEPS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket_within_its_error() {
        for value in (0..5000).chain([65_535, 65_536, 1_000_000, 3_600_000_000]) {
            let upper = upper_bound(bucket_of(value) as u64);
            assert!(upper >= value && upper - value <= value / 60, "{value} in {upper}");
        }
    }

    #[test]
    fn quantiles_are_within_two_percent() {
        let mut low = Histogram::new();
        let mut all = Histogram::new();
        (1..=5000).for_each(|value| low.record(value));
        (5001..=10_000).for_each(|value| all.record(value));
        all.merge(&low);
        for (thousandths, exact) in [(500, 5000_u64), (900, 9000), (990, 9900)] {
            let found = all.quantile(thousandths);
            assert!(found.abs_diff(exact) * 50 <= exact, "{thousandths}: {found}");
        }
        assert_eq!(all.max(), 10_000);
        assert_eq!(all.quantile(1000), 10_000);
        assert_eq!(Histogram::new().quantile(500), 0);
    }
}
