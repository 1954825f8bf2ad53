//! Places: the operators `$geoWithin`, `$geoIntersects`, `$near` and `$nearSphere`.
//!
//! Guarantees: distances on the sphere have a radius of 6378.1 km. A line between two points of a GeoJSON shape is the
//! great circle: the shape is seen in the projection (from the centre of the sphere, onto a plane that touches it in the
//! middle of the shape) in which great circles are straight, so that plane geometry gives the exact answer. Borders belong
//! to a shape.
//! What is approximate: a shape that reaches over more than half of the sphere as seen from its middle is taken in the
//! plane of longitude and latitude, and so is a document's shape that reaches over the horizon as seen from the operator's
//! shape (on the other half of the sphere it does not intersect). A document's shape is within a `MultiPolygon` where it is
//! within one of its polygons.
//! Leaves to others: indexes, which may ask for [`Bounds`]; the order by distance ([`Near::distance`]).

mod near;
mod parse;
mod plane;
mod region;
mod sphere;

#[cfg(test)]
mod tests;

pub(crate) use near::Near;

use crate::value::Raw;
use parse::Location;
use region::Region;

/// A point: longitude and latitude in degrees, or plane coordinates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Point {
    /// The longitude, or x.
    pub(crate) x: f64,
    /// The latitude, or y.
    pub(crate) y: f64,
}

/// A box that has all that can match: longitudes and latitudes in degrees, or plane coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    /// The lowest coordinates.
    pub(crate) min: Point,
    /// The highest coordinates.
    pub(crate) max: Point,
}

/// A shape of vertices: points, lines, and polygons whose first ring is the outer one.
#[derive(Clone, Debug, Default, PartialEq)]
struct Shape {
    points: Vec<Point>,
    lines: Vec<Vec<Point>>,
    polygons: Vec<Vec<Vec<Point>>>,
}

/// Calls `each` with every place of a document at a path: its point, or `None` for a shape.
pub(crate) fn each_place(
    document: Raw<'_>,
    path: &crate::value::path::Path,
    each: &mut dyn FnMut(Option<Point>),
) {
    super::filter::walk(document, path.parts(), true, &mut None, &mut |value| {
        match value.and_then(Location::read) {
            Some(Location::Point(point)) => each(Some(point)),
            Some(Location::Shape(_)) => each(None),
            None => {}
        }
        false
    });
}

/// A compiled `$geoWithin` or `$geoIntersects`.
#[derive(Clone, Debug)]
pub struct GeoTest {
    region: Region,
    within: bool,
}

impl GeoTest {
    /// Compiles the operand of `$geoWithin`; what is wrong is the rest of a sentence.
    pub(crate) fn within(operand: Raw<'_>) -> Result<Self, String> {
        Ok(Self { region: Region::within(operand)?, within: true })
    }

    /// Compiles the operand of `$geoIntersects`.
    pub(crate) fn intersects(operand: Raw<'_>) -> Result<Self, String> {
        Ok(Self { region: Region::intersects(operand)?, within: false })
    }

    /// Whether a value is a place that is so.
    pub(crate) fn matches(&self, value: Raw<'_>) -> bool {
        match (Location::read(value), self.within) {
            (None, _) => false,
            (Some(Location::Point(point)), _) => self.region.has_point(point),
            (Some(Location::Shape(shape)), true) => self.region.has_shape(&shape),
            (Some(Location::Shape(shape)), false) => self.region.touches(&shape),
        }
    }

    /// A box around every point that can match; a shape that matches has at least one such point.
    pub(crate) fn bounds(&self) -> Bounds {
        self.region.bounds()
    }
}

impl Bounds {
    /// The whole sphere.
    const SPHERE: Self =
        Self { min: Point { x: -180.0, y: -90.0 }, max: Point { x: 180.0, y: 90.0 } };

    /// The box of points; the whole sphere where there are none.
    fn around(points: impl Iterator<Item = Point>) -> Self {
        let boxes = points.map(|point| Self { min: point, max: point });
        boxes.reduce(Self::union).unwrap_or(Self::SPHERE)
    }

    fn union(self, other: Self) -> Self {
        Self {
            min: Point { x: self.min.x.min(other.min.x), y: self.min.y.min(other.min.y) },
            max: Point { x: self.max.x.max(other.max.x), y: self.max.y.max(other.max.y) },
        }
    }
}

impl Shape {
    fn vertices(&self) -> impl Iterator<Item = Point> {
        let rings = self.polygons.iter().flatten();
        self.points.iter().chain(self.lines.iter().chain(rings).flatten()).copied()
    }

    /// The lines and rings, edge by edge.
    fn edges(&self) -> impl Iterator<Item = (Point, Point)> + Clone {
        let rings = self.polygons.iter().flatten();
        let chains = self.lines.iter().chain(rings);
        chains.flat_map(|chain| chain.windows(2).map(|edge| (edge[0], edge[1])))
    }

    /// The same shape with other coordinates, if every vertex has some.
    fn map(&self, to: &impl Fn(Point) -> Option<Point>) -> Option<Self> {
        let chain =
            |chain: &Vec<Point>| chain.iter().map(|point| to(*point)).collect::<Option<Vec<_>>>();
        Some(Self {
            points: chain(&self.points)?,
            lines: self.lines.iter().map(chain).collect::<Option<_>>()?,
            polygons: self
                .polygons
                .iter()
                .map(|rings| rings.iter().map(chain).collect::<Option<Vec<_>>>())
                .collect::<Option<_>>()?,
        })
    }
}
