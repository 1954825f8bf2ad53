//! `$fill`, made of `$setWindowFields` and `$addFields`.
//!
//! Guarantees: fields that are null or missing get a value, the last one before them, or one along a line.
//! Leaves to others: computing them.

use super::operand::{check_name, field_name, invalid, members, options, required, text};
use super::parse::Parser;
use super::stage::Stage;
use super::window::WindowFields;
use crate::error::Result;
use crate::query::projection::Reshape;
use crate::value::{Object, Raw, Value};

const STAGE: &str = "$fill";

/// The stages that a `$fill` stands for.
pub(super) fn parse(raw: Raw<'_>, parser: &Parser<'_>) -> Result<Vec<Stage>> {
    let names = ["partitionBy", "partitionByFields", "sortBy", "output"];
    let [by, by_fields, sort, output] = options(STAGE, "", raw, names)?;
    let partition = match (by, by_fields) {
        (Some(_), Some(_)) => {
            let message = "has `partitionBy` or `partitionByFields`, not both";
            return Err(invalid(STAGE, "partitionBy", message));
        }
        (Some(by), None) => Some(by.to_value()),
        (None, Some(fields)) => Some(partition_of(fields)?),
        (None, None) => None,
    };
    let (mut windows, mut values) = (Object::new(), Object::new());
    for (path, operand) in members(STAGE, "output", required(STAGE, "output", output)?)? {
        check_name(STAGE, path, path)?;
        let reference = Value::String(format!("${path}"));
        let [value, method] = options(STAGE, path, operand, ["value", "method"])?;
        match (value, method) {
            (Some(value), None) => {
                let arguments = Value::Array(vec![reference, value.to_value()]);
                values.insert(path, super::group::call("$ifNull", arguments));
            }
            (None, Some(method)) => {
                let function = match text(STAGE, path, method)? {
                    "linear" => "$linearFill",
                    "locf" => "$locf",
                    _ => return Err(invalid(STAGE, path, "a method is `linear` or `locf`")),
                };
                windows.insert(path, super::group::call(function, reference));
            }
            _ => return Err(invalid(STAGE, path, "needs `value` or `method`")),
        }
    }
    let mut stages = Vec::new();
    if !windows.is_empty() {
        let mut operand = Object::new();
        if let Some(partition) = partition {
            operand.insert("partitionBy", partition);
        }
        if let Some(sort) = sort {
            operand.insert("sortBy", sort.to_value());
        }
        operand.insert("output", windows);
        let bytes = operand.to_bytes();
        let window = WindowFields::parse(STAGE, Raw::trusted(&bytes), parser)?;
        stages.push(Stage::WindowFields(Box::new(window)));
    }
    if !values.is_empty() {
        let bytes = values.to_bytes();
        let operand = Raw::trusted(&bytes);
        let reshape = Reshape::parse("$addFields", operand, parser.context, parser.variables)?;
        stages.push(Stage::Reshape(Box::new(reshape)));
    }
    if stages.is_empty() {
        return Err(invalid(STAGE, "output", "needs at least one field"));
    }
    Ok(stages)
}

/// The expression for a list of fields.
fn partition_of(fields: Raw<'_>) -> Result<Value> {
    let path = "partitionByFields";
    let list = fields.as_array().ok_or_else(|| invalid(STAGE, path, "must be a list of fields"))?;
    let mut object = Object::new();
    for (index, field) in list.enumerate() {
        let field = field_name(STAGE, path, field)?;
        object.insert(format!("f{index}"), format!("${field}"));
    }
    Ok(object.into())
}
