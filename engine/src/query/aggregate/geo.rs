//! `$geoNear`: documents by their distance from a point.
//!
//! Guarantees: nearest first; distances are metres on a sphere for a GeoJSON point, radians for a legacy pair with
//! `spherical`, and those of the plane otherwise. A field may hold several points; the nearest counts. Everything is kept
//! in memory, which the budget counts.
//! Leaves to others: indexes; shapes other than points, which are passed over.

use bytes::Bytes;

use super::Documents;
use super::document::set_path;
use super::matching::Match;
use super::operand::{field_name, flag, invalid, number, options, required};
use super::parse::Parser;
use super::stream::{Env, Held, OVERHEAD, generate};
use crate::error::Result;
use crate::query::arithmetic::Number;
use crate::query::expression::Expression;
use crate::value::path::Path;
use crate::value::{Raw, encode};

const STAGE: &str = "$geoNear";
/// Of the earth, in metres.
const RADIUS: f64 = 6_378_100.0;

/// A compiled `$geoNear`.
#[derive(Clone, Debug)]
pub(super) struct GeoNear {
    near: Expression,
    key: Path,
    distance_field: String,
    location_field: Option<String>,
    spherical: bool,
    most: f64,
    least: f64,
    multiplier: f64,
    query: Option<Match>,
}

/// How distances are measured.
#[derive(Clone, Copy)]
enum Measure {
    Metres,
    Radians,
    Plane,
}

struct Entry {
    distance: f64,
    location: Vec<u8>,
    document: Bytes,
}

impl GeoNear {
    pub(super) fn parse(raw: Raw<'_>, parser: &Parser<'_>) -> Result<Self> {
        let names = [
            "near",
            "distanceField",
            "key",
            "spherical",
            "maxDistance",
            "minDistance",
            "distanceMultiplier",
            "query",
            "includeLocs",
        ];
        let [near, distance, key, spherical, most, least, multiplier, query, locations] =
            options(STAGE, "", raw, names)?;
        let name = |path: &'static str, raw: Option<Raw<'_>>| -> Result<String> {
            Ok(field_name(STAGE, path, required(STAGE, path, raw)?)?.to_owned())
        };
        let size = |path: &'static str, raw: Option<Raw<'_>>, default: f64| -> Result<f64> {
            let Some(raw) = raw else { return Ok(default) };
            let size = number(STAGE, path, raw)?.to_f64();
            if size >= 0.0 { Ok(size) } else { Err(invalid(STAGE, path, "must not be negative")) }
        };
        let near = required(STAGE, "near", near)?;
        Ok(Self {
            near: Expression::parse(near, parser.context, parser.variables)?,
            key: Path::new(&name("key", key)?),
            distance_field: name("distanceField", distance)?,
            location_field: match locations {
                None => None,
                Some(_) => Some(name("includeLocs", locations)?),
            },
            spherical: flag(STAGE, "spherical", spherical)?,
            most: size("maxDistance", most, f64::INFINITY)?,
            least: size("minDistance", least, 0.0)?,
            multiplier: size("distanceMultiplier", multiplier, 1.0)?,
            query: query.map(|raw| Match::parse(raw, parser, false)).transpose()?,
        })
    }

    pub(super) fn run<'a>(&'a self, input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
        let mut input = Some(input);
        let mut held = Held::new(env.budget);
        let mut sorted = Vec::new().into_iter();
        generate(env.budget, move || {
            if let Some(input) = input.take() {
                sorted = self.found(input, env, &mut held)?.into_iter();
            }
            let Some(entry): Option<Entry> = sorted.next() else { return Ok(None) };
            let (mut value, mut out) = (Vec::with_capacity(9), Vec::new());
            encode::write_double(entry.distance * self.multiplier, &mut value);
            let document = Raw::trusted(&entry.document);
            set_path(document, &self.distance_field, Some(&value), &mut out);
            if let Some(field) = &self.location_field {
                let mut with = Vec::with_capacity(out.len() + entry.location.len() + 16);
                set_path(Raw::trusted(&out), field, Some(&entry.location), &mut with);
                out = with;
            }
            Ok(Some(Bytes::from(out)))
        })
    }

    /// The documents within the distances, nearest first.
    fn found(&self, input: Documents<'_>, env: Env<'_>, held: &mut Held<'_>) -> Result<Vec<Entry>> {
        let empty = Raw::trusted(super::document::EMPTY);
        let near = self.near.evaluate(&env.scope(empty))?;
        let near = near.raw_or_null();
        let from = point(near).ok_or_else(|| {
            invalid(STAGE, "near", "must be a GeoJSON point or a pair of numbers")
        })?;
        let measure = match (near.get("type").is_some(), self.spherical) {
            (true, _) => Measure::Metres,
            (false, true) => Measure::Radians,
            (false, false) => Measure::Plane,
        };
        let mut found = Vec::new();
        for document in input {
            env.budget.check()?;
            let document = document?;
            let raw = Raw::trusted(&document);
            let Some((distance, location)) = self.nearest(raw, from, measure) else { continue };
            if distance < self.least || distance > self.most {
                continue;
            }
            if let Some(query) = &self.query
                && !query.matches(raw, &env)?
            {
                continue;
            }
            let location = location.as_bytes().to_vec();
            held.take(document.len() + location.len() + 2 * OVERHEAD)?;
            found.push(Entry { distance, location, document });
        }
        found.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        Ok(found)
    }

    fn nearest<'d>(
        &self,
        document: Raw<'d>,
        from: (f64, f64),
        measure: Measure,
    ) -> Option<(f64, Raw<'d>)> {
        let mut nearest: Option<(f64, Raw<'d>)> = None;
        super::values::foreign(document, &self.key, &mut |value| {
            let Some(to) = point(value) else { return };
            let distance = measure.distance(from, to);
            if !distance.is_nan() && nearest.is_none_or(|(least, _)| distance < least) {
                nearest = Some((distance, value));
            }
        });
        nearest
    }
}

impl Measure {
    fn distance(self, from: (f64, f64), to: (f64, f64)) -> f64 {
        match self {
            Self::Plane => (from.0 - to.0).hypot(from.1 - to.1),
            Self::Radians => angle(from, to),
            Self::Metres => angle(from, to) * RADIUS,
        }
    }
}

/// The angle between two places (longitude, latitude), by the haversine formula.
fn angle(from: (f64, f64), to: (f64, f64)) -> f64 {
    let (lat_from, lat_to) = (from.1.to_radians(), to.1.to_radians());
    let half_lat = ((lat_to - lat_from) / 2.0).sin();
    let half_lng = ((to.0 - from.0).to_radians() / 2.0).sin();
    let square = half_lat * half_lat + lat_from.cos() * lat_to.cos() * half_lng * half_lng;
    2.0 * square.sqrt().min(1.0).asin()
}

/// The point that a value is: GeoJSON, a pair, or an object of two numbers.
fn point(value: Raw<'_>) -> Option<(f64, f64)> {
    if let Some(kind) = value.get("type").and_then(Raw::as_str) {
        return if kind == "Point" { point(value.get("coordinates")?) } else { None };
    }
    let read = |raw: Raw<'_>| Number::read(raw).map(Number::to_f64);
    if value.as_array().is_some() {
        let mut list = value.array_iter();
        return Some((read(list.next()?)?, read(list.next()?)?));
    }
    let mut members = value.object_iter().map(|(_, value)| value);
    Some((read(members.next()?)?, read(members.next()?)?))
}
