//! What `$geoWithin` and `$geoIntersects` compare places with.
//!
//! Guarantees: compiled once; a point is judged without allocation.
//! Leaves to others: reading places.

use super::parse::{geometry, legacy};
use super::sphere::{Projection, Vector, cap_bounds};
use super::{Bounds, Point, Shape, plane};
use crate::query::filter::double;
use crate::value::Raw;

/// Most vertices that an operand may have.
const MAX_VERTICES: usize = 10_000;

/// A region of the plane or of the sphere.
#[derive(Clone, Debug)]
pub(super) enum Region {
    /// Shapes, each in its own view.
    Parts(Vec<Part>),
    /// `$box`.
    Box(Bounds),
    /// `$center`.
    Circle { centre: Point, radius: f64 },
    /// `$centerSphere`; the radius in radians.
    Cap { centre: Point, vector: Vector, radius: f64 },
}

/// A polygon, a line or a point.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// `None`: the plane of the coordinates.
    projection: Option<Projection>,
    /// In the view of the projection.
    seen: Shape,
    /// As it was given.
    shape: Shape,
}

impl Region {
    /// The operand of `$geoWithin`.
    pub(super) fn within(operand: Raw<'_>) -> Result<Self, String> {
        let mut members = operand.object_iter();
        let (Some((name, value)), None) = (members.next(), members.next()) else {
            return Err("takes an object with one region".to_owned());
        };
        match name {
            "$geometry" => {
                let shape = geometry(value)?;
                if shape.polygons.is_empty() || !shape.points.is_empty() || !shape.lines.is_empty()
                {
                    return Err("takes a Polygon or MultiPolygon as its `$geometry`".to_owned());
                }
                Self::parts(&shape)
            }
            "$box" => {
                let corners = corners(value).filter(|corners| corners.len() == 2);
                let corners = corners.ok_or("takes two corners as its `$box`")?;
                Ok(Self::Box(Bounds::around(corners.into_iter())))
            }
            "$polygon" => {
                let mut ring = corners(value)
                    .filter(|ring| ring.len() >= 3)
                    .ok_or("takes a list of at least three points as its `$polygon`")?;
                check(ring.len())?;
                ring.extend(ring.first().copied());
                let shape = Shape { polygons: vec![vec![ring]], ..Shape::default() };
                let part = Part { projection: None, seen: shape.clone(), shape };
                Ok(Self::Parts(vec![part]))
            }
            "$center" => {
                let (centre, radius) = circle(value)
                    .ok_or("takes a point and a radius of at least 0 as its `$center`")?;
                Ok(Self::Circle { centre, radius })
            }
            "$centerSphere" => {
                let (centre, radius) = circle(value)
                    .filter(|(at, _)| at.x.abs() <= 180.0 && at.y.abs() <= 90.0)
                    .ok_or("takes a point and a radius in radians as its `$centerSphere`")?;
                Ok(Self::Cap { centre, vector: Vector::of(centre), radius })
            }
            _ => Err(format!("does not know the region `{name}`")),
        }
    }

    /// The operand of `$geoIntersects`.
    pub(super) fn intersects(operand: Raw<'_>) -> Result<Self, String> {
        match operand.get("$geometry").filter(|_| operand.member_count() == 1) {
            Some(value) => Self::parts(&geometry(value)?),
            None => Err("takes an object with a `$geometry`".to_owned()),
        }
    }

    fn parts(shape: &Shape) -> Result<Self, String> {
        check(shape.vertices().count())?;
        let points =
            shape.points.iter().map(|point| Shape { points: vec![*point], ..Shape::default() });
        let lines =
            shape.lines.iter().map(|line| Shape { lines: vec![line.clone()], ..Shape::default() });
        let polygons = shape
            .polygons
            .iter()
            .map(|rings| Shape { polygons: vec![rings.clone()], ..Shape::default() });
        Ok(Self::Parts(points.chain(lines).chain(polygons).map(Part::new).collect()))
    }

    /// Whether a point is in it.
    pub(super) fn has_point(&self, point: Point) -> bool {
        match self {
            Self::Parts(parts) => parts.iter().any(|part| part.has_point(point)),
            Self::Box(bounds) => {
                (bounds.min.x..=bounds.max.x).contains(&point.x)
                    && (bounds.min.y..=bounds.max.y).contains(&point.y)
            }
            Self::Circle { centre, radius } => plane::distance(*centre, point) <= *radius,
            Self::Cap { vector, radius, .. } => vector.angle(Vector::of(point)) <= *radius,
        }
    }

    /// Whether all of a shape is in it.
    pub(super) fn has_shape(&self, shape: &Shape) -> bool {
        match self {
            Self::Parts(parts) => parts.iter().any(|part| part.has_shape(shape)),
            _ => shape.vertices().all(|point| self.has_point(point)),
        }
    }

    /// Whether a shape has a point in common with it.
    pub(super) fn touches(&self, shape: &Shape) -> bool {
        match self {
            Self::Parts(parts) => parts.iter().any(|part| part.touches(shape)),
            _ => shape.vertices().any(|point| self.has_point(point)),
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        match self {
            Self::Parts(parts) => {
                parts.iter().map(Part::bounds).reduce(Bounds::union).unwrap_or(Bounds::SPHERE)
            }
            Self::Box(bounds) => *bounds,
            Self::Circle { centre, radius } => circle_bounds(*centre, *radius),
            Self::Cap { centre, radius, .. } => cap_bounds(*centre, *radius),
        }
    }
}

impl Part {
    fn new(shape: Shape) -> Self {
        let vertices: Vec<_> = shape.vertices().collect();
        let projection = Projection::around(vertices.iter().copied());
        let seen = projection.and_then(|projection| projection.shape(&shape));
        match seen {
            Some(seen) => Self { projection, seen, shape },
            None => Self { projection: None, seen: shape.clone(), shape },
        }
    }

    fn has_point(&self, point: Point) -> bool {
        match &self.projection {
            None => plane::has_point(&self.seen, point),
            Some(projection) => projection
                .see(Vector::of(point))
                .is_some_and(|point| plane::has_point(&self.seen, point)),
        }
    }

    fn has_shape(&self, shape: &Shape) -> bool {
        let within =
            |shape: &Shape| self.seen.polygons.iter().any(|rings| plane::has_shape(rings, shape));
        match &self.projection {
            None => within(shape),
            Some(projection) => projection.shape(shape).is_some_and(|shape| within(&shape)),
        }
    }

    fn touches(&self, shape: &Shape) -> bool {
        match &self.projection {
            None => plane::touch(&self.seen, shape),
            Some(projection) => match projection.shape(shape) {
                Some(shape) => plane::touch(&self.seen, &shape),
                None => {
                    let sees = |point| projection.see(Vector::of(point)).is_some();
                    shape.vertices().any(sees) && plane::touch(&self.shape, shape)
                }
            },
        }
    }

    fn bounds(&self) -> Bounds {
        match &self.projection {
            Some(projection) => projection.bounds(self.shape.vertices()),
            None => Bounds::around(self.shape.vertices()),
        }
    }
}

/// A box around a circle.
pub(super) fn circle_bounds(centre: Point, radius: f64) -> Bounds {
    Bounds {
        min: Point { x: centre.x - radius, y: centre.y - radius },
        max: Point { x: centre.x + radius, y: centre.y + radius },
    }
}

fn check(vertices: usize) -> Result<(), String> {
    if vertices > MAX_VERTICES {
        return Err(format!("takes a shape of at most {MAX_VERTICES} points"));
    }
    Ok(())
}

/// A list of points; an object of points counts as one.
fn corners(value: Raw<'_>) -> Option<Vec<Point>> {
    match value.as_array() {
        Some(points) => points.map(legacy).collect(),
        None => value.as_object()?.map(|(_, point)| legacy(point)).collect(),
    }
}

/// A point and a radius.
fn circle(value: Raw<'_>) -> Option<(Point, f64)> {
    let mut parts = value.as_array()?;
    let (centre, radius) = (legacy(parts.next()?)?, double(parts.next()?)?);
    (parts.next().is_none() && radius >= 0.0).then_some((centre, radius))
}
