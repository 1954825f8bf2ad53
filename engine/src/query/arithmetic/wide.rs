//! Whole numbers of 256 bits, as far as decimals of 34 digits need them.
//!
//! Guarantees: no overflow for what [`super::decimal`] computes (at most 76 digits); wrapping beyond that, never a panic.
//! Leaves to others: signs, exponents and rounding.

/// A number of 256 bits, the lowest limb first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wide([u64; 4]);

/// The largest power of ten in 64 bits, and its exponent.
const TENS: (u64, u32) = (10_u64.pow(19), 19);

impl Wide {
    pub(super) fn new(number: u128) -> Self {
        Self([number as u64, (number >> 64) as u64, 0, 0])
    }

    pub(super) fn product(a: u128, b: u128) -> Self {
        let mut out = Self::new(a);
        let (low, high) = (b as u64, (b >> 64) as u64);
        let mut upper = out;
        out = out.times(low);
        upper = upper.times(high);
        let [x, y, z, _] = upper.0;
        out.plus(Self([0, x, y, z]))
    }

    pub(super) fn is_zero(self) -> bool {
        self.0 == [0; 4]
    }

    /// The number, if it has at most 128 bits.
    pub(super) fn narrow(self) -> Option<u128> {
        let [a, b, c, d] = self.0;
        (c == 0 && d == 0).then(|| u128::from(a) | u128::from(b) << 64)
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let mut out = [0; 4];
        let mut carry = 0_u128;
        for (place, (a, b)) in out.iter_mut().zip(self.0.into_iter().zip(other.0)) {
            carry += u128::from(a) + u128::from(b);
            *place = carry as u64;
            carry >>= 64;
        }
        Self(out)
    }

    /// `self - other`; `other` must not be larger.
    pub(super) fn minus(self, other: Self) -> Self {
        let mut out = [0; 4];
        let mut borrow = false;
        for (place, (a, b)) in out.iter_mut().zip(self.0.into_iter().zip(other.0)) {
            let (half, first) = a.overflowing_sub(b);
            let (whole, second) = half.overflowing_sub(u64::from(borrow));
            *place = whole;
            borrow = first || second;
        }
        Self(out)
    }

    pub(super) fn times(self, factor: u64) -> Self {
        let mut out = [0; 4];
        let mut carry = 0_u128;
        for (place, limb) in out.iter_mut().zip(self.0) {
            carry += u128::from(limb) * u128::from(factor);
            *place = carry as u64;
            carry >>= 64;
        }
        Self(out)
    }

    /// `self * 10^power`.
    pub(super) fn times_ten(mut self, mut power: u32) -> Self {
        while power > 0 {
            let step = power.min(TENS.1);
            self = self.times(10_u64.pow(step));
            power -= step;
        }
        self
    }

    fn divided(self, divisor: u64) -> (Self, u64) {
        let mut out = [0; 4];
        let mut remainder = 0_u128;
        for (place, limb) in out.iter_mut().zip(self.0).rev() {
            let part = remainder << 64 | u128::from(limb);
            *place = (part / u128::from(divisor)) as u64;
            remainder = part % u128::from(divisor);
        }
        (Self(out), remainder as u64)
    }

    /// The number without its last digits, and whether one of those was not zero.
    fn shifted_right(mut self, mut power: u32) -> (Self, bool) {
        let mut lost = false;
        while power > 0 && !self.is_zero() {
            let step = power.min(TENS.1);
            let (quotient, remainder) = self.divided(10_u64.pow(step));
            self = quotient;
            lost |= remainder != 0;
            power -= step;
        }
        (self, lost)
    }

    /// The number without its last `power` digits (at least 1), the first of those, and whether one after it was not zero.
    pub(super) fn without_digits(self, power: u32) -> (Self, u64, bool) {
        let (kept, lost) = self.shifted_right(power.saturating_sub(1));
        let (kept, digit) = kept.divided(10);
        (kept, digit, lost)
    }

    /// How many decimal digits it has; 0 for zero.
    pub(super) fn digits(self) -> u32 {
        match self.narrow() {
            Some(0) => 0,
            Some(number) => number.ilog10() + 1,
            None => TENS.1 + self.divided(TENS.0).0.digits(),
        }
    }

    /// Quotient and remainder.
    pub(super) fn divided_by(self, divisor: u128) -> (Self, u128) {
        if let Some(number) = self.narrow() {
            return match (number.checked_div(divisor), number.checked_rem(divisor)) {
                (Some(quotient), Some(remainder)) => (Self::new(quotient), remainder),
                _ => (Self::default(), 0),
            };
        }
        let mut quotient = [0_u64; 4];
        let mut remainder = 0_u128;
        for (place, limb) in quotient.iter_mut().zip(self.0).rev() {
            for bit in (0..64).rev() {
                // The divisors have at most 113 bits, so that nothing is shifted out.
                remainder = remainder << 1 | u128::from(limb >> bit & 1);
                if remainder >= divisor {
                    remainder = remainder.wrapping_sub(divisor);
                    *place |= 1 << bit;
                }
            }
        }
        (Self(quotient), remainder)
    }

    /// The whole part of the square root, and whether it is exact.
    pub(super) fn square_root(self) -> (u128, bool) {
        let mut root = 0_u128;
        for bit in (0..127).rev() {
            let trial = root | 1 << bit;
            if Self::product(trial, trial) <= self {
                root = trial;
            }
        }
        (root, Self::product(root, root) == self)
    }
}

impl PartialOrd for Wide {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Wide {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}
