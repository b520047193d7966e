// SPDX-License-Identifier: Apache-2.0
//! Percentiles, medians, spread and drift. Every figure that is printed comes through here.

/// The value at this share of sorted ones: the nearest rank, as it was measured and not interpolated; 0 of none.
pub(crate) fn percentile(sorted: &[u64], share: f64) -> u64 {
    let last = sorted.len().saturating_sub(1);
    let index = (last as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or(0)
}

/// The middle one; of an even number, the mean of the two.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().filter(|it| it.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied();
    let lower = values.get(values.len().saturating_sub(1) / 2).copied();
    match (lower, upper) {
        (Some(lower), Some(upper)) => f64::midpoint(lower, upper),
        _ => f64::NAN,
    }
}

/// How far the rounds lie apart: (largest − smallest) ÷ median; 0 of fewer than two.
pub(crate) fn spread(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    let largest = values.iter().copied().fold(f64::MIN, f64::max);
    let smallest = values.iter().copied().fold(f64::MAX, f64::min);
    let median = median(values.iter().copied());
    if values.len() < 2 || median == 0.0 {
        return 0.0;
    }
    (largest - smallest) / median
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The mean of the last `window` values ÷ that of the first; the windows shrink to a third each where they would
/// overlap. `NaN` where there is nothing to compare.
pub(crate) fn drift(per_second: &[f64], window: usize) -> f64 {
    let window = window.min(per_second.len() / 3);
    let last = per_second.len().saturating_sub(window);
    match (per_second.get(..window), per_second.get(last..)) {
        (Some(first), Some(last)) if window > 0 => mean(last) / mean(first),
        _ => f64::NAN,
    }
}

/// Latencies in buckets, each at most 1/64 wide of its value: what a long run keeps instead of all of them.
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

const SUB_BITS: u32 = 6;

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: vec![0; bucket(u64::MAX) + 1],
            count: 0,
            max: 0,
        }
    }
}

/// Values below 64 have a bucket each; above, each power of two has 64.
fn bucket(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    let shift = bits.saturating_sub(SUB_BITS + 1);
    ((u64::from(shift) << SUB_BITS) + (value >> shift)) as usize
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket >> SUB_BITS).saturating_sub(1);
    let base = bucket - (shift << SUB_BITS);
    ((u128::from(base) + 1) << shift)
        .saturating_sub(1)
        .min(u128::from(u64::MAX)) as u64
}

impl Histogram {
    pub(crate) fn add(&mut self, value: u64) {
        if let Some(count) = self.buckets.get_mut(bucket(value)) {
            *count += 1;
        }
        self.count += 1;
        self.max = self.max.max(value);
    }

    pub(crate) const fn max(&self) -> u64 {
        self.max
    }

    /// As [`percentile`], to 1.6 %.
    pub(crate) fn percentile(&self, share: f64) -> u64 {
        let rank = (self.count.saturating_sub(1) as f64 * share).round() as u64;
        let mut before = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            before += count;
            if before > rank {
                return upper(index).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let sorted: Vec<u64> = (1..=1_000).collect();
        assert_eq!(percentile(&sorted, 0.0), 1);
        assert_eq!(percentile(&sorted, 0.5), 501);
        assert_eq!(percentile(&sorted, 0.99), 990);
        assert_eq!(percentile(&sorted, 1.0), 1_000);
        assert_eq!(percentile(&[], 0.5), 0);
    }

    #[test]
    fn medians_and_spread() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
        assert_eq!(spread([90.0, 100.0, 110.0]), 0.2);
        assert_eq!(spread([5.0]), 0.0);
    }

    #[test]
    fn drift_compares_ends_that_do_not_overlap() {
        let falling: Vec<f64> = (0..600)
            .map(|second| if second < 300 { 100.0 } else { 80.0 })
            .collect();
        assert_eq!(drift(&falling, 60), 0.8);
        assert_eq!(drift(&[100.0, 50.0, 50.0], 60), 0.5);
        assert!(drift(&[100.0, 50.0], 60).is_nan());
    }

    #[test]
    fn a_histogram_says_nearly_what_all_values_say() {
        let mut histogram = Histogram::default();
        let mut values: Vec<u64> = (0..10_000_u64).map(|n| n * n * 37 % 90_000_007).collect();
        values.iter().for_each(|value| histogram.add(*value));
        values.sort_unstable();
        for share in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let (exact, near) = (
                percentile(&values, share) as f64,
                histogram.percentile(share) as f64,
            );
            assert!(
                (near - exact).abs() <= exact * 0.016 + 1.0,
                "{share}: {near} for {exact}"
            );
        }
        assert_eq!(histogram.max(), values[9_999]);
        histogram.add(u64::MAX);
        assert_eq!(histogram.percentile(1.0), u64::MAX);
    }
}
