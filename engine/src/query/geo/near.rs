//! `$near` and `$nearSphere`.
//!
//! Guarantees: a value matches if its distance is between the least and the largest one. Distances are metres around a
//! GeoJSON point, radians around a pair under `$nearSphere`, and plane units around a pair under `$near`.
//! Leaves to others: ordering by distance.

use super::parse::{Location, legacy, position};
use super::region::circle_bounds;
use super::sphere::{EARTH_METRES, Vector, cap_bounds, shape_angle};
use super::{Bounds, Point, plane};
use crate::query::filter::{double, walk};
use crate::value::Raw;
use crate::value::path::Path;

/// A compiled `$near` or `$nearSphere`.
#[derive(Clone, Debug)]
pub struct Near {
    path: Path,
    centre: Point,
    measure: Measure,
    min: f64,
    max: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Measure {
    Metres,
    Radians,
    Plane,
}

impl Near {
    /// Compiles the operand; `siblings` has the distances next to it.
    pub(crate) fn parse(
        path: &str,
        sphere: bool,
        operand: Raw<'_>,
        siblings: Raw<'_>,
    ) -> Result<Self, String> {
        let geometry = operand.get("$geometry").or_else(|| {
            // A GeoJSON point without `$geometry` around it.
            operand.get("coordinates").map(|_| operand)
        });
        let (centre, measure) = match geometry {
            Some(point) if point.get("type").and_then(Raw::as_str) == Some("Point") => {
                (point.get("coordinates").and_then(position), Measure::Metres)
            }
            Some(_) => (None, Measure::Metres),
            None if sphere => {
                let on_sphere = |at: &Point| at.x.abs() <= 180.0 && at.y.abs() <= 90.0;
                (legacy(operand).filter(on_sphere), Measure::Radians)
            }
            None => (legacy(operand), Measure::Plane),
        };
        let centre =
            centre.ok_or("takes a point: GeoJSON under `$geometry`, or a pair of numbers")?;
        let inner = operand.get("$geometry").map(|_| operand);
        for (name, _) in inner.unwrap_or(Raw::NULL).object_iter() {
            if !matches!(name, "$geometry" | "$maxDistance" | "$minDistance") {
                return Err(format!("does not know `{name}`"));
            }
        }
        let distance = |name: &str, default: f64| {
            let raw = inner.and_then(|inner| inner.get(name)).or_else(|| siblings.get(name));
            let Some(raw) = raw else { return Ok(default) };
            let distance = double(raw).filter(|distance| *distance >= 0.0);
            distance.ok_or_else(|| format!("takes a number of at least 0 as its `{name}`"))
        };
        Ok(Self {
            path: Path::new(path),
            centre,
            measure,
            min: distance("$minDistance", 0.0)?,
            max: distance("$maxDistance", f64::INFINITY)?,
        })
    }

    /// Where the places are.
    #[allow(dead_code, reason = "for the planner")]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The distance of the nearest place of a document that is neither too near nor too far.
    pub fn distance(&self, document: Raw<'_>) -> Option<f64> {
        let mut nearest: Option<f64> = None;
        walk(document, self.path.parts(), true, &mut None, &mut |value| {
            if let Some(distance) = value.and_then(|value| self.measure(value))
                && nearest.is_none_or(|nearest| distance < nearest)
            {
                nearest = Some(distance);
            }
            false
        });
        nearest
    }

    /// Whether a value is a place that is neither too near nor too far.
    pub(crate) fn matches(&self, value: Raw<'_>) -> bool {
        self.measure(value).is_some()
    }

    fn measure(&self, value: Raw<'_>) -> Option<f64> {
        let distance = match (Location::read(value)?, self.measure) {
            (Location::Point(point), Measure::Plane) => plane::distance(self.centre, point),
            (Location::Shape(shape), Measure::Plane) => plane::shape_distance(&shape, self.centre),
            (Location::Point(point), measure) => {
                measure.of_angle(Vector::of(self.centre).angle(Vector::of(point)))
            }
            (Location::Shape(shape), measure) => measure.of_angle(shape_angle(&shape, self.centre)),
        };
        (self.min..=self.max).contains(&distance).then_some(distance)
    }

    /// A box around all that can match, where there is a largest distance.
    #[allow(dead_code, reason = "for the planner")]
    pub(crate) fn bounds(&self) -> Option<Bounds> {
        if self.max.is_infinite() {
            return None;
        }
        Some(match self.measure {
            Measure::Metres => cap_bounds(self.centre, self.max / EARTH_METRES),
            Measure::Radians => cap_bounds(self.centre, self.max),
            Measure::Plane => circle_bounds(self.centre, self.max),
        })
    }
}

impl Measure {
    fn of_angle(self, angle: f64) -> f64 {
        if self == Self::Metres { angle * EARTH_METRES } else { angle }
    }
}
