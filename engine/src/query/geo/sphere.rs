//! Geometry on the sphere: vectors, angles, and the projection in which great circles are straight.
//!
//! Guarantees: angles are exact to about a micrometre on the earth, also for points that are very near.
//! Leaves to others: units.

use super::{Bounds, Point, Shape, plane};

/// The radius that turns angles into metres.
pub(super) const EARTH_METRES: f64 = 6_378_100.0;

/// A direction from the centre of the sphere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Vector([f64; 3]);

/// What lies less than this above the plane through the sphere's centre cannot be projected.
const HORIZON: f64 = 1e-3;

impl Vector {
    pub(super) fn of(point: Point) -> Self {
        let (sin_x, cos_x) = point.x.to_radians().sin_cos();
        let (sin_y, cos_y) = point.y.to_radians().sin_cos();
        Self([cos_y * cos_x, cos_y * sin_x, sin_y])
    }

    fn dot(self, other: Self) -> f64 {
        self.0.iter().zip(other.0).map(|(a, b)| a * b).sum()
    }

    fn cross(self, other: Self) -> Self {
        let ([a, b, c], [d, e, f]) = (self.0, other.0);
        Self([b * f - c * e, c * d - a * f, a * e - b * d])
    }

    fn length(self) -> f64 {
        self.dot(self).sqrt()
    }

    fn unit(self) -> Option<Self> {
        let length = self.length();
        (length > 1e-9).then(|| Self(self.0.map(|part| part / length)))
    }

    /// The angle between two directions, in radians.
    pub(super) fn angle(self, other: Self) -> f64 {
        self.cross(other).length().atan2(self.dot(other))
    }
}

/// The view from the centre of the sphere onto a plane that touches it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Projection {
    centre: Vector,
    east: Vector,
    north: Vector,
}

impl Projection {
    pub(super) fn at(centre: Vector) -> Self {
        let pole = Vector([0.0, 0.0, 1.0]);
        let east = pole.cross(centre).unit().unwrap_or(Vector([0.0, 1.0, 0.0]));
        Self { centre, east, north: centre.cross(east) }
    }

    /// The projection in the middle of points, if all of them can be seen in it.
    pub(super) fn around(points: impl Iterator<Item = Point> + Clone) -> Option<Self> {
        let sum = points.clone().map(Vector::of).fold([0.0; 3], |sum, vector| {
            [sum[0] + vector.0[0], sum[1] + vector.0[1], sum[2] + vector.0[2]]
        });
        let projection = Self::at(Vector(sum).unit()?);
        let seen = points.into_iter().all(|point| projection.see(Vector::of(point)).is_some());
        seen.then_some(projection)
    }

    /// Where a direction is seen; `None` for the other half of the sphere.
    pub(super) fn see(&self, vector: Vector) -> Option<Point> {
        let depth = vector.dot(self.centre);
        (depth > HORIZON)
            .then(|| Point { x: vector.dot(self.east) / depth, y: vector.dot(self.north) / depth })
    }

    pub(super) fn shape(&self, shape: &Shape) -> Option<Shape> {
        shape.map(&|point| self.see(Vector::of(point)))
    }

    /// A box around everything between points that are seen.
    pub(super) fn bounds(&self, points: impl Iterator<Item = Point>) -> Bounds {
        let radius = points.map(|at| Vector::of(at).angle(self.centre)).fold(0.0, f64::max);
        let [x, y, z] = self.centre.0;
        let centre =
            Point { x: y.atan2(x).to_degrees(), y: z.clamp(-1.0, 1.0).asin().to_degrees() };
        cap_bounds(centre, radius)
    }
}

/// A box around all points within an angle, in radians, of a point.
pub(super) fn cap_bounds(centre: Point, radius: f64) -> Bounds {
    // A little more than the angle, for the rounding.
    let radius = radius * (1.0 + 1e-9) + 1e-9;
    let (low, high) = (centre.y - radius.to_degrees(), centre.y + radius.to_degrees());
    let mut bounds = Bounds::SPHERE;
    bounds.min.y = low.max(-90.0);
    bounds.max.y = high.min(90.0);
    if low <= -90.0 || high >= 90.0 {
        return bounds;
    }
    let width = (radius.sin() / centre.y.to_radians().cos()).clamp(-1.0, 1.0).asin().to_degrees();
    if centre.x - width >= -180.0 && centre.x + width <= 180.0 {
        bounds.min.x = centre.x - width;
        bounds.max.x = centre.x + width;
    }
    bounds
}

/// The angle between a direction and a great circle's piece.
fn edge_angle((a, b): (Vector, Vector), point: Vector) -> f64 {
    let ends = point.angle(a).min(point.angle(b));
    let Some(normal) = a.cross(b).unit() else { return ends };
    let beside = normal.cross(a).dot(point) >= 0.0 && b.cross(normal).dot(point) >= 0.0;
    if beside { point.dot(normal).clamp(-1.0, 1.0).asin().abs().min(ends) } else { ends }
}

/// The angle between a point and a shape.
pub(super) fn shape_angle(shape: &Shape, point: Point) -> f64 {
    let vector = Vector::of(point);
    let projection = Projection::at(vector);
    let inside = shape.polygons.iter().any(|rings| {
        let polygon = Shape { polygons: vec![rings.clone()], ..Shape::default() };
        match projection.shape(&polygon) {
            Some(seen) => {
                seen.polygons.iter().any(|rings| plane::contains(rings, Point::default()))
            }
            None => plane::contains(rings, point),
        }
    });
    if inside {
        return 0.0;
    }
    let points = shape.points.iter().map(|at| vector.angle(Vector::of(*at)));
    let edges = shape.edges().map(|(a, b)| edge_angle((Vector::of(a), Vector::of(b)), vector));
    points.chain(edges).fold(f64::INFINITY, f64::min)
}
