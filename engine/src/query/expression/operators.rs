//! The table of operators whose arguments are evaluated before them.
//!
//! Guarantees: a name is here or in `forms`, not in both.
//! Leaves to others: the functions, each in the file of its subject.

use super::node::Ctx;
use super::{accumulate, arith, array, array_make, convert, date, date_math, logic, math};
use super::{date_parse, object, set, string, string_cut};
use crate::error::Result;
use crate::query::Item;

/// What an operator does with its arguments.
pub(super) type Function = for<'e> fn(&Ctx<'_>, &mut [Item<'e>]) -> Result<Item<'e>>;

/// An operator.
#[derive(Debug)]
pub(super) struct Operator {
    /// The name with its `$`.
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) run: Function,
}

/// How the arguments are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// A list with a least and a largest length; one argument may stand without a list.
    List(usize, usize),
    /// A document of names, of which the first ones must be there.
    Named(&'static [&'static str], usize),
    /// One argument, or a document of names that has the first one.
    Either(&'static [&'static str]),
}

use Shape::{Either, List, Named};

const MANY: usize = usize::MAX;
const DATE: Shape = Either(&["date", "timezone"]);
const TRIM: Shape = Named(&["input", "chars"], 1);
const REPLACE: Shape = Named(&["input", "find", "replacement"], 3);
const COUNTED: Shape = Named(&["input", "n"], 2);
const SHIFT: Shape = Named(&["startDate", "unit", "amount", "timezone"], 3);

const fn op(name: &'static str, shape: Shape, run: Function) -> Operator {
    Operator { name, shape, run }
}

/// The operator of a name.
pub(super) fn find(name: &str) -> Option<&'static Operator> {
    OPERATORS.iter().find(|operator| operator.name == name)
}

static OPERATORS: &[Operator] = &[
    op("$eq", List(2, 2), logic::eq),
    op("$ne", List(2, 2), logic::ne),
    op("$gt", List(2, 2), logic::gt),
    op("$gte", List(2, 2), logic::gte),
    op("$lt", List(2, 2), logic::lt),
    op("$lte", List(2, 2), logic::lte),
    op("$cmp", List(2, 2), logic::cmp),
    op("$not", List(1, 1), logic::not),
    op("$add", List(0, MANY), arith::add),
    op("$subtract", List(2, 2), arith::subtract),
    op("$multiply", List(0, MANY), arith::multiply),
    op("$divide", List(2, 2), arith::divide),
    op("$mod", List(2, 2), arith::remainder),
    op("$abs", List(1, 1), arith::abs),
    op("$ceil", List(1, 1), arith::ceil),
    op("$floor", List(1, 1), arith::floor),
    op("$round", List(1, 2), arith::round),
    op("$trunc", List(1, 2), arith::trunc),
    op("$bitAnd", List(0, MANY), arith::bit_and),
    op("$bitOr", List(0, MANY), arith::bit_or),
    op("$bitXor", List(0, MANY), arith::bit_xor),
    op("$bitNot", List(1, 1), arith::bit_not),
    op("$pow", List(2, 2), math::pow),
    op("$sqrt", List(1, 1), math::sqrt),
    op("$exp", List(1, 1), math::unary),
    op("$ln", List(1, 1), math::unary),
    op("$log10", List(1, 1), math::unary),
    op("$log", List(2, 2), math::log),
    op("$sin", List(1, 1), math::unary),
    op("$cos", List(1, 1), math::unary),
    op("$tan", List(1, 1), math::unary),
    op("$asin", List(1, 1), math::unary),
    op("$acos", List(1, 1), math::unary),
    op("$atan", List(1, 1), math::unary),
    op("$atan2", List(2, 2), math::atan2),
    op("$sinh", List(1, 1), math::unary),
    op("$cosh", List(1, 1), math::unary),
    op("$tanh", List(1, 1), math::unary),
    op("$asinh", List(1, 1), math::unary),
    op("$acosh", List(1, 1), math::unary),
    op("$atanh", List(1, 1), math::unary),
    op("$degreesToRadians", List(1, 1), math::unary),
    op("$radiansToDegrees", List(1, 1), math::unary),
    op("$concat", List(0, MANY), string::concat),
    op("$toUpper", List(1, 1), string::to_upper),
    op("$toLower", List(1, 1), string::to_lower),
    op("$strcasecmp", List(2, 2), string::strcasecmp),
    op("$strLenCP", List(1, 1), string::len_cp),
    op("$strLenBytes", List(1, 1), string::len_bytes),
    op("$split", List(2, 2), string::split),
    op("$trim", TRIM, string::trim),
    op("$ltrim", TRIM, string::trim),
    op("$rtrim", TRIM, string::trim),
    op("$replaceOne", REPLACE, string::replace),
    op("$replaceAll", REPLACE, string::replace),
    op("$substr", List(3, 3), string_cut::substr_bytes),
    op("$substrBytes", List(3, 3), string_cut::substr_bytes),
    op("$substrCP", List(3, 3), string_cut::substr_cp),
    op("$indexOfCP", List(2, 4), string_cut::index_of),
    op("$indexOfBytes", List(2, 4), string_cut::index_of),
    op("$size", List(1, 1), array::size),
    op("$isArray", List(1, 1), array::is_array),
    op("$arrayElemAt", List(2, 2), array::elem_at),
    op("$first", List(1, 1), array::first),
    op("$last", List(1, 1), array::last),
    op("$in", List(2, 2), array::contains),
    op("$indexOfArray", List(2, 4), array::index_of),
    op("$slice", List(2, 3), array::slice),
    op("$firstN", COUNTED, array::first_n),
    op("$lastN", COUNTED, array::last_n),
    op("$minN", COUNTED, array::min_n),
    op("$maxN", COUNTED, array::max_n),
    op("$concatArrays", List(0, MANY), array_make::concat),
    op("$range", List(2, 3), array_make::range),
    op("$reverseArray", List(1, 1), array_make::reverse),
    op("$zip", Named(&["inputs", "useLongestLength", "defaults"], 1), array_make::zip),
    op("$setUnion", List(0, MANY), set::union),
    op("$setIntersection", List(0, MANY), set::intersection),
    op("$setDifference", List(2, 2), set::difference),
    op("$setEquals", List(2, MANY), set::equals),
    op("$setIsSubset", List(2, 2), set::is_subset),
    op("$allElementsTrue", List(1, 1), set::all_true),
    op("$anyElementTrue", List(1, 1), set::any_true),
    op("$mergeObjects", List(0, MANY), object::merge),
    op("$objectToArray", List(1, 1), object::to_array),
    op("$arrayToObject", List(1, 1), object::from_array),
    op("$getField", Either(&["field", "input"]), object::get_field),
    op("$setField", Named(&["field", "input", "value"], 3), object::set_field),
    op("$unsetField", Named(&["field", "input"], 2), object::unset_field),
    op("$bsonSize", List(1, 1), object::bson_size),
    op("$binarySize", List(1, 1), object::binary_size),
    op("$type", List(1, 1), convert::type_of),
    op("$convert", Named(&["input", "to", "onError", "onNull"], 2), convert::convert),
    op("$isNumber", List(1, 1), convert::is_number),
    op("$toString", List(1, 1), convert::to_named),
    op("$toInt", List(1, 1), convert::to_named),
    op("$toLong", List(1, 1), convert::to_named),
    op("$toDouble", List(1, 1), convert::to_named),
    op("$toDecimal", List(1, 1), convert::to_named),
    op("$toBool", List(1, 1), convert::to_named),
    op("$toDate", List(1, 1), convert::to_named),
    op("$toObjectId", List(1, 1), convert::to_named),
    op("$tsSecond", List(1, 1), date::ts_second),
    op("$tsIncrement", List(1, 1), date::ts_increment),
    op("$year", DATE, date::part),
    op("$month", DATE, date::part),
    op("$dayOfMonth", DATE, date::part),
    op("$dayOfYear", DATE, date::part),
    op("$dayOfWeek", DATE, date::part),
    op("$isoDayOfWeek", DATE, date::part),
    op("$week", DATE, date::part),
    op("$isoWeek", DATE, date::part),
    op("$isoWeekYear", DATE, date::part),
    op("$hour", DATE, date::part),
    op("$minute", DATE, date::part),
    op("$second", DATE, date::part),
    op("$millisecond", DATE, date::part),
    op("$dateToParts", Named(&["date", "timezone", "iso8601"], 1), date::to_parts),
    op("$dateFromParts", Named(date::PARTS, 0), date::from_parts),
    op("$dateToString", Named(&["date", "format", "timezone", "onNull"], 1), date::to_string),
    op(
        "$dateFromString",
        Named(&["dateString", "format", "timezone", "onError", "onNull"], 1),
        date_parse::from_string,
    ),
    op("$dateAdd", SHIFT, date_math::add),
    op("$dateSubtract", SHIFT, date_math::subtract),
    op(
        "$dateDiff",
        Named(&["startDate", "endDate", "unit", "timezone", "startOfWeek"], 3),
        date_math::diff,
    ),
    op(
        "$dateTrunc",
        Named(&["date", "unit", "binSize", "timezone", "startOfWeek"], 2),
        date_math::trunc,
    ),
    op("$sum", List(0, MANY), accumulate::sum),
    op("$avg", List(0, MANY), accumulate::avg),
    op("$min", List(0, MANY), accumulate::min),
    op("$max", List(0, MANY), accumulate::max),
    op("$stdDevPop", List(0, MANY), accumulate::deviation),
    op("$stdDevSamp", List(0, MANY), accumulate::deviation),
    op("$percentile", Named(&["input", "p", "method"], 3), accumulate::percentile),
    op("$median", Named(&["input", "method"], 2), accumulate::median),
    op("$rand", List(0, 0), math::rand),
];

/// The names and shapes of the table.
#[cfg(test)]
pub(super) fn shapes() -> Vec<(&'static str, Shape)> {
    OPERATORS.iter().map(|operator| (operator.name, operator.shape)).collect()
}
