//! Cells of tables, which are texts: which of them are numbers.
//!
//! Guarantees: a cell that is taken for a number has its value in JSON, to the last digit.
//! Leaves to others: whether a column wants numbers.

/// Most digits of a decimal number that a double holds exactly.
const DECIMAL_DIGITS_MAX: usize = 15;

/// Whether a cell is a number that a JSON number says exactly: no leading zero, no sign but a minus, no exponent, an integer
/// of 64 bits or at most 15 digits with a point.
pub fn is_exact_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let all_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if !all_digits(whole) || leading_zero || cell == "-0" {
        return false;
    }
    match fraction {
        None => cell.parse::<i64>().is_ok(),
        Some(fraction) => {
            all_digits(fraction) && whole.len() + fraction.len() <= DECIMAL_DIGITS_MAX
        }
    }
}
