//! Regions, distances and boxes.

use super::*;
use crate::limits::Limits;
use crate::value::json::parse_value;

fn encoded(json: &str) -> Vec<u8> {
    parse_value(json.as_bytes(), &Limits::default()).unwrap()
}

fn within(operand: &str, place: &str) -> bool {
    let test = GeoTest::within(Raw::trusted(&encoded(operand))).unwrap();
    test.matches(Raw::trusted(&encoded(place)))
}

fn intersects(geometry: &str, place: &str) -> bool {
    let operand = format!(r#"{{"$geometry": {geometry}}}"#);
    let test = GeoTest::intersects(Raw::trusted(&encoded(&operand))).unwrap();
    test.matches(Raw::trusted(&encoded(place)))
}

fn polygon(ring: &str) -> String {
    format!(r#"{{"type": "Polygon", "coordinates": [{ring}]}}"#)
}

fn point(x: f64, y: f64) -> String {
    format!(r#"{{"type": "Point", "coordinates": [{x}, {y}]}}"#)
}

#[test]
fn edges_are_great_circles() {
    // The great circle between two points at 45 degrees north runs north of the parallel.
    let ring = "[[-40,45],[40,45],[40,10],[-40,10],[-40,45]]";
    let region = format!(r#"{{"$geometry": {}}}"#, polygon(ring));
    assert!(within(&region, &point(0.0, 50.0)));
    assert!(!within(&region, &point(0.0, 54.0)));
    assert!(!within(&region, &point(0.0, 10.5)));
    assert!(within(&region, &point(40.0, 45.0)));
}

#[test]
fn polygons_cross_the_date_line_and_have_holes() {
    let ring = "[[170,-10],[-170,-10],[-170,10],[170,10],[170,-10]]";
    let hole = "[[178,-2],[-178,-2],[-178,2],[178,2],[178,-2]]";
    let region = format!(r#"{{"$geometry": {}}}"#, polygon(&format!("{ring},{hole}")));
    assert!(within(&region, &point(175.0, 0.0)));
    assert!(within(&region, &point(-175.0, 0.0)));
    assert!(!within(&region, &point(180.0, 0.0)));
    assert!(!within(&region, &point(0.0, 0.0)));
    let inner = polygon("[[172,-1],[174,-1],[174,1],[172,1],[172,-1]]");
    assert!(within(&region, &inner));
    let around_the_hole = polygon("[[176,-5],[-176,-5],[-176,5],[176,5],[176,-5]]");
    assert!(!within(&region, &around_the_hole));
    assert!(intersects(&polygon(ring), &around_the_hole));
    assert!(!intersects(&polygon(ring), &polygon("[[0,0],[1,0],[1,1],[0,1],[0,0]]")));
}

#[test]
fn plane_regions() {
    assert!(within(r#"{"$box": [[0, 0], [2, 2]]}"#, "[2, 1]"));
    assert!(!within(r#"{"$box": [[2, 2], [0, 0]]}"#, "[3, 1]"));
    assert!(within(r#"{"$polygon": [[0, 0], [4, 0], [2, 4]]}"#, r#"{"x": 2, "y": 1}"#));
    assert!(!within(r#"{"$polygon": [[0, 0], [4, 0], [2, 4]]}"#, "[0, 3]"));
    assert!(within(r#"{"$center": [[0, 0], 5]}"#, "[3, 4]"));
    assert!(!within(r#"{"$center": [[0, 0], 5]}"#, r#""x""#));
}

#[test]
fn lines_and_points_intersect() {
    let line = r#"{"type": "LineString", "coordinates": [[0, 0], [10, 0]]}"#;
    assert!(intersects(line, &point(5.0, 0.0)));
    assert!(!intersects(line, &point(5.0, 1.0)));
    assert!(intersects(line, r#"{"type": "LineString", "coordinates": [[5, -5], [5, 5]]}"#));
    assert!(intersects(&point(1.0, 2.0), "[1, 2]"));
    let collection = format!(
        r#"{{"type": "GeometryCollection", "geometries": [{line}, {}]}}"#,
        point(50.0, 50.0)
    );
    assert!(intersects(&collection, &point(50.0, 50.0)));
}

#[test]
fn malformed_operands() {
    for operand in [
        "{}",
        "5",
        r#"{"$geometry": {"type": "Point", "coordinates": [0, 0]}}"#,
        r#"{"$geometry": {"type": "Polygon", "coordinates": [[[0,0],[1,0],[1,1],[0,1]]]}}"#,
        r#"{"$geometry": {"type": "Polygon", "coordinates": [[[0,0],[1,0],[1,100],[0,0]]]}}"#,
        r#"{"$box": [[0, 0]]}"#,
        r#"{"$center": [[0, 0], -1]}"#,
        r#"{"$centerSphere": [[0, 0], "x"]}"#,
        r#"{"$polygon": [[0, 0], [1, 1]]}"#,
        r#"{"$foo": 1}"#,
    ] {
        assert!(GeoTest::within(Raw::trusted(&encoded(operand))).is_err(), "{operand}");
    }
}

fn near(sphere: bool, operand: &str, siblings: &str) -> Near {
    let (operand, siblings) = (encoded(operand), encoded(siblings));
    Near::parse("at", sphere, Raw::trusted(&operand), Raw::trusted(&siblings)).unwrap()
}

fn distance(near: &Near, place: &str) -> Option<f64> {
    near.distance(Raw::trusted(&encoded(&format!(r#"{{"at": {place}}}"#))))
}

#[test]
fn distances_have_their_units() {
    let degree = 6_378_100.0 * 1_f64.to_radians();
    let metres = near(false, &format!(r#"{{"$geometry": {}}}"#, point(0.0, 0.0)), "{}");
    assert!((distance(&metres, &point(0.0, 1.0)).unwrap() - degree).abs() < 1e-3);
    assert!((distance(&metres, "[1, 0]").unwrap() - degree).abs() < 1e-3);
    let line = r#"{"type": "LineString", "coordinates": [[-5, 1], [5, 1]]}"#;
    assert!((distance(&metres, line).unwrap() - degree).abs() < degree * 0.01);
    let around = polygon("[[-1,-1],[1,-1],[1,1],[-1,1],[-1,-1]]");
    assert_eq!(distance(&metres, &around), Some(0.0));
    assert_eq!(distance(&metres, "7"), None);
    let radians = near(true, "[0, 0]", r#"{"$maxDistance": 0.1}"#);
    assert!((distance(&radians, "[1, 0]").unwrap() - 1_f64.to_radians()).abs() < 1e-12);
    assert_eq!(distance(&radians, "[10, 0]"), None);
    let plane = near(false, "[0, 0]", r#"{"$minDistance": 2}"#);
    assert_eq!(distance(&plane, "[1, 0]"), None);
    assert_eq!(distance(&plane, "[300, 400]"), Some(500.0));
}

#[test]
fn boxes_have_all_that_matches() {
    let operand = encoded(r#"{"$centerSphere": [[10, 60], 0.1]}"#);
    let test = GeoTest::within(Raw::trusted(&operand)).unwrap();
    let bounds = test.bounds();
    for x in -180..180 {
        for y in -90..90 {
            let (x, y) = (f64::from(x), f64::from(y));
            if test.matches(Raw::trusted(&encoded(&format!("[{x:?}, {y:?}]")))) {
                assert!(bounds.min.x <= x && x <= bounds.max.x, "{x} {y}");
                assert!(bounds.min.y <= y && y <= bounds.max.y, "{x} {y}");
            }
        }
    }
    let pole = encoded(r#"{"$centerSphere": [[10, 89], 0.1]}"#);
    assert_eq!(GeoTest::within(Raw::trusted(&pole)).unwrap().bounds().max.x, 180.0);
    let flat = near(false, "[1, 2]", r#"{"$maxDistance": 3}"#).bounds().unwrap();
    assert_eq!((flat.min.x, flat.max.y), (-2.0, 5.0));
    assert_eq!(near(false, "[1, 2]", "{}").bounds(), None);
}
