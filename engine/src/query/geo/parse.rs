//! Reading places: GeoJSON, pairs of numbers, and objects of two numbers.
//!
//! Guarantees: what is read is finite; GeoJSON lies on the sphere and its rings are closed.
//! Leaves to others: whether rings cross themselves.

use super::{Point, Shape};
use crate::query::filter::double;
use crate::value::Raw;

/// A place in a document.
pub(super) enum Location {
    Point(Point),
    Shape(Shape),
}

impl Location {
    /// Reads a place; `None` where a value is none.
    pub(super) fn read(value: Raw<'_>) -> Option<Self> {
        if let Some(kind) = value.get("type").and_then(Raw::as_str) {
            let coordinates = value.get("coordinates");
            return match (kind, coordinates) {
                ("Point", Some(coordinates)) => position(coordinates).map(Self::Point),
                _ => geometry(value).ok().map(Self::Shape),
            };
        }
        legacy(value).map(Self::Point)
    }
}

/// A pair `[x, y]`, or an object whose first two members are numbers.
pub(super) fn legacy(value: Raw<'_>) -> Option<Point> {
    let (x, y) = if let Some(mut elements) = value.as_array() {
        (elements.next()?, elements.next()?)
    } else {
        let mut members = value.as_object()?;
        (members.next()?.1, members.next()?.1)
    };
    let (x, y) = (double(x)?, double(y)?);
    (x.is_finite() && y.is_finite()).then_some(Point { x, y })
}

/// Longitude and latitude; a height is passed over.
pub(super) fn position(value: Raw<'_>) -> Option<Point> {
    value.as_array()?;
    legacy(value).filter(|at| at.x.abs() <= 180.0 && at.y.abs() <= 90.0)
}

/// A GeoJSON object of any type.
pub(super) fn geometry(value: Raw<'_>) -> Result<Shape, String> {
    let mut shape = Shape::default();
    let kind = value.get("type").and_then(Raw::as_str).ok_or("takes GeoJSON with a `type`")?;
    if kind != "GeometryCollection" {
        add(value, kind, &mut shape)?;
        return Ok(shape);
    }
    let members = value.get("geometries").and_then(Raw::as_array);
    for member in members.ok_or("takes a GeometryCollection with a list of `geometries`")? {
        let kind = member.get("type").and_then(Raw::as_str).unwrap_or_default();
        add(member, kind, &mut shape)?;
    }
    Ok(shape)
}

fn add(value: Raw<'_>, kind: &str, shape: &mut Shape) -> Result<(), String> {
    let wrong = || format!("takes a {kind} with fitting `coordinates`: longitude, then latitude");
    let at = value.get("coordinates").ok_or_else(wrong)?;
    let each = || at.as_array().ok_or_else(wrong);
    match kind {
        "Point" => shape.points.push(position(at).ok_or_else(wrong)?),
        "MultiPoint" => shape.points.extend(positions(at, 1).ok_or_else(wrong)?),
        "LineString" => shape.lines.push(positions(at, 2).ok_or_else(wrong)?),
        "MultiLineString" => {
            for line in each()? {
                shape.lines.push(positions(line, 2).ok_or_else(wrong)?);
            }
        }
        "Polygon" => shape.polygons.push(rings(at).ok_or_else(wrong)?),
        "MultiPolygon" => {
            for polygon in each()? {
                shape.polygons.push(rings(polygon).ok_or_else(wrong)?);
            }
        }
        _ => return Err(format!("does not know the GeoJSON type `{kind}`")),
    }
    Ok(())
}

fn positions(value: Raw<'_>, at_least: usize) -> Option<Vec<Point>> {
    let points: Vec<_> = value.as_array()?.map(position).collect::<Option<_>>()?;
    (points.len() >= at_least).then_some(points)
}

/// The rings of a polygon, each closed and of at least three corners.
fn rings(value: Raw<'_>) -> Option<Vec<Vec<Point>>> {
    let rings: Vec<_> =
        value.as_array()?.map(|ring| positions(ring, 4)).collect::<Option<Vec<_>>>()?;
    let closed = rings.iter().all(|ring| ring.first() == ring.last());
    (closed && !rings.is_empty()).then_some(rings)
}
