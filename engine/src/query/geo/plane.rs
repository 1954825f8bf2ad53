//! Geometry in the plane.
//!
//! Guarantees: borders belong to shapes, within a tolerance far below a millimetre on the earth.
//! Leaves to others: projections.

use super::{Point, Shape};

/// How near counts as on a line, relative to the size of the numbers.
const TOLERANCE: f64 = 1e-12;

/// Where a point lies as to a ring.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Inside,
    Border,
    Outside,
}

/// Twice the area of the triangle: positive where `c` is to the left of the line from `a` to `b`.
fn turn(a: Point, b: Point, c: Point) -> f64 {
    let (left, right) = ((b.x - a.x) * (c.y - a.y), (b.y - a.y) * (c.x - a.x));
    let area = left - right;
    if area.abs() <= TOLERANCE * (left.abs() + right.abs()).max(TOLERANCE) { 0.0 } else { area }
}

/// Whether `c`, which is on the line through `a` and `b`, is between them.
fn between(a: Point, b: Point, c: Point) -> bool {
    let within = |a: f64, b: f64, c: f64| c >= a.min(b) - TOLERANCE && c <= a.max(b) + TOLERANCE;
    within(a.x, b.x, c.x) && within(a.y, b.y, c.y)
}

fn on_edge((a, b): (Point, Point), point: Point) -> bool {
    between(a, b, point) && turn(a, b, point) == 0.0
}

fn side(ring: &[Point], point: Point) -> Side {
    let mut inside = false;
    for edge in ring.windows(2) {
        let (a, b) = (edge[0], edge[1]);
        if on_edge((a, b), point) {
            return Side::Border;
        }
        if (a.y > point.y) != (b.y > point.y) && (turn(a, b, point) > 0.0) == (b.y > a.y) {
            inside = !inside;
        }
    }
    if inside { Side::Inside } else { Side::Outside }
}

/// Whether a point is in a polygon.
pub(super) fn contains(rings: &[Vec<Point>], point: Point) -> bool {
    let Some((outer, holes)) = rings.split_first() else { return false };
    side(outer, point) != Side::Outside
        && holes.iter().all(|hole| side(hole, point) != Side::Inside)
}

/// Whether two edges cross in one point inside of both.
fn cross((a, b): (Point, Point), (c, d): (Point, Point)) -> bool {
    turn(a, b, c) * turn(a, b, d) < 0.0 && turn(c, d, a) * turn(c, d, b) < 0.0
}

/// Whether two edges have a point in common.
fn meet(first: (Point, Point), second: (Point, Point)) -> bool {
    cross(first, second)
        || on_edge(first, second.0)
        || on_edge(first, second.1)
        || on_edge(second, first.0)
        || on_edge(second, first.1)
}

/// Whether a point is on or in a shape.
pub(super) fn has_point(shape: &Shape, point: Point) -> bool {
    shape.polygons.iter().any(|rings| contains(rings, point))
        || shape.edges().any(|edge| on_edge(edge, point))
        || shape
            .points
            .iter()
            .any(|at| (at.x - point.x).abs() <= TOLERANCE && (at.y - point.y).abs() <= TOLERANCE)
}

/// Whether the whole of a shape lies in a polygon.
pub(super) fn has_shape(rings: &[Vec<Point>], shape: &Shape) -> bool {
    let border = || rings.iter().flat_map(|ring| ring.windows(2).map(|edge| (edge[0], edge[1])));
    shape.vertices().all(|point| contains(rings, point))
        && !shape.edges().any(|edge| border().any(|other| cross(edge, other)))
        && !shape.edges().any(|(a, b)| {
            let middle = Point { x: (a.x + b.x) / 2.0, y: (a.y + b.y) / 2.0 };
            !contains(rings, middle)
        })
        // A hole inside of the shape.
        && !shape.polygons.iter().any(|inner| {
            rings.iter().skip(1).any(|hole| {
                hole.iter().all(|point| contains(inner, *point))
                    && hole.iter().any(|point| {
                        inner.first().is_some_and(|ring| side(ring, *point) == Side::Inside)
                    })
                    && inner.iter().skip(1).all(|other| {
                        hole.iter().any(|point| side(other, *point) == Side::Outside)
                    })
            })
        })
}

/// Whether two shapes have a point in common.
pub(super) fn touch(first: &Shape, second: &Shape) -> bool {
    first.vertices().any(|point| has_point(second, point))
        || second.vertices().any(|point| has_point(first, point))
        || first.edges().any(|edge| second.edges().any(|other| meet(edge, other)))
}

/// The distance between two points.
pub(super) fn distance(a: Point, b: Point) -> f64 {
    (a.x - b.x).hypot(a.y - b.y)
}

/// The distance of a point from an edge.
fn edge_distance((a, b): (Point, Point), point: Point) -> f64 {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let length = dx * dx + dy * dy;
    if length == 0.0 {
        return distance(a, point);
    }
    let along = (((point.x - a.x) * dx + (point.y - a.y) * dy) / length).clamp(0.0, 1.0);
    distance(Point { x: a.x + along * dx, y: a.y + along * dy }, point)
}

/// The distance of a point from a shape.
pub(super) fn shape_distance(shape: &Shape, point: Point) -> f64 {
    if shape.polygons.iter().any(|rings| contains(rings, point)) {
        return 0.0;
    }
    let points = shape.points.iter().map(|at| distance(*at, point));
    let edges = shape.edges().map(|edge| edge_distance(edge, point));
    points.chain(edges).fold(f64::INFINITY, f64::min)
}
