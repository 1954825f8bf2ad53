//! Random documents, filters and sorts over a few paths and values, so that they meet.

use rand::RngExt;
use rand::rngs::StdRng;

pub struct Draw {
    random: StdRng,
}

impl Draw {
    pub fn new(random: StdRng) -> Self {
        Self { random }
    }

    pub fn number(&mut self, below: i32) -> i32 {
        self.random.random_range(0..below)
    }

    pub fn one_in(&mut self, times: i32) -> bool {
        self.number(times) == 0
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        let index = self.random.random_range(0..all.len());
        all[index]
    }

    /// A value that is no array.
    fn scalar(&mut self) -> String {
        match self.number(12) {
            0 => "null".to_owned(),
            1 => format!("{}.5", self.number(6)),
            2 => format!("\"{}\"", self.pick(&["", "a", "ab", "abc", "b"])),
            3 => "true".to_owned(),
            4 => format!("{{\"x\":{}}}", self.number(3)),
            5 => format!("{}.0", self.number(6)),
            _ => self.number(6).to_string(),
        }
    }

    fn value(&mut self) -> String {
        if !self.one_in(5) {
            return self.scalar();
        }
        let elements: Vec<_> = (0..self.number(4)).map(|_| self.scalar()).collect();
        format!("[{}]", elements.join(","))
    }

    /// An object; one whose `x` may be an array where `nested`.
    fn object(&mut self, nested: bool) -> String {
        let mut members = Vec::new();
        for name in ["x", "y"] {
            if name == "x" && nested && self.one_in(3) {
                members.push(format!("\"x\":{}", self.value()));
            } else if !self.one_in(4) {
                members.push(format!("\"{name}\":{}", self.scalar()));
            }
        }
        format!("{{{}}}", members.join(","))
    }

    /// The members of a document. Arrays stand under one of `a`, `b` and `c` only, so that every index can take it.
    pub fn document(&mut self, _id: i32) -> String {
        let mut members = vec![format!("\"n\":{}", self.number(10))];
        let array = self.number(4);
        for (place, name) in ["a", "b"].into_iter().enumerate() {
            if self.one_in(6) {
                continue;
            }
            let value = if array == place as i32 { self.value() } else { self.scalar() };
            members.push(format!("\"{name}\":{value}"));
        }
        let c = match self.number(5) {
            0 => "5".to_owned(),
            1 if array == 2 => {
                let elements: Vec<_> = (0..self.number(4)).map(|_| self.object(true)).collect();
                format!("[{}]", elements.join(","))
            }
            _ => self.object(array == 2),
        };
        members.push(format!("\"c\":{c}"));
        members.push(format!("\"s\":\"{}\"", self.pick(&["k", "l", "m"])));
        members.join(",")
    }

    fn test(&mut self) -> String {
        let operator = self.pick(&["$gt", "$gte", "$lt", "$lte", "$eq", "$ne"]);
        match self.number(12) {
            0 => self.value(),
            1 => format!("{{\"$in\":[{},{}]}}", self.scalar(), self.scalar()),
            2 => "null".to_owned(),
            3 => format!("{{\"$exists\":{}}}", self.pick(&["true", "false"])),
            4 => format!("{{\"$gte\":{},\"$lt\":{}}}", self.number(4), self.number(7)),
            5 => format!(
                "{{\"$elemMatch\":{{\"$gte\":{},\"$lte\":{}}}}}",
                self.number(3),
                self.number(6)
            ),
            6 => "{\"$regex\":\"^a\"}".to_owned(),
            7 => format!("{{\"$nin\":[{}]}}", self.scalar()),
            8 => format!("{{\"$not\":{{\"$gt\":{}}}}}", self.number(5)),
            _ => format!("{{\"{operator}\":{}}}", self.scalar()),
        }
    }

    fn condition(&mut self) -> String {
        let path = self.pick(&["a", "b", "c.x", "c.y", "s", "n", "a", "c", "_id", "c.0.x"]);
        if path == "c" {
            return format!(
                "\"c\":{{\"$elemMatch\":{{\"x\":{},\"y\":{}}}}}",
                self.test(),
                self.test()
            );
        }
        if path == "_id" {
            return format!("\"_id\":{{\"$gte\":{}}}", self.number(200));
        }
        format!("\"{path}\":{}", self.test())
    }

    /// A filter.
    pub fn filter(&mut self) -> String {
        let mut members = Vec::new();
        for _ in 0..self.number(4) {
            let next = self.condition();
            let name = next.split(':').next().unwrap_or_default().to_owned();
            if !members.iter().any(|other: &String| other.starts_with(&name)) {
                members.push(next);
            }
        }
        if self.one_in(5) {
            members.push(format!("\"$or\":[{{{}}},{{{}}}]", self.condition(), self.condition()));
        }
        format!("{{{}}}", members.join(","))
    }

    /// A sort, or none.
    pub fn sort(&mut self) -> Option<String> {
        if self.one_in(3) {
            return None;
        }
        let mut members = Vec::new();
        for _ in 0..=self.number(2) {
            let path = self.pick(&["a", "b", "c.x", "c.y", "s", "n", "_id"]);
            if !members.iter().any(|other: &String| other.starts_with(&format!("\"{path}\""))) {
                members.push(format!("\"{path}\":{}", self.pick(&["1", "-1"])));
            }
        }
        Some(format!("{{{}}}", members.join(",")))
    }

    fn coordinates(&mut self) -> (f64, f64) {
        let mut within =
            |limit: f64| (self.random.random_range(-limit..limit) * 10.0).round() / 10.0;
        (within(180.0), within(90.0))
    }

    /// A point, two of them, or none.
    pub fn place(&mut self) -> String {
        let (x, y) = self.coordinates();
        match self.number(8) {
            0 => "null".to_owned(),
            1 => format!("[{x},{y}]"),
            2 => format!(r#"{{"type":"LineString","coordinates":[[{x},{y}],[{},{y}]]}}"#, x / 2.0),
            _ => format!(r#"{{"type":"Point","coordinates":[{x},{y}]}}"#),
        }
    }

    /// A filter by place.
    pub fn near(&mut self) -> String {
        let ((x, y), metres) = (self.coordinates(), self.number(9_000_000));
        match self.number(3) {
            0 => format!(
                r#"{{"at":{{"$near":{{"$geometry":{{"type":"Point","coordinates":[{x},{y}]}},"$maxDistance":{metres}}}}}}}"#
            ),
            1 => format!(
                r#"{{"at":{{"$geoWithin":{{"$centerSphere":[[{x},{y}],{}]}}}}}}"#,
                f64::from(metres) / 6_378_100.0
            ),
            _ => format!(
                r#"{{"at":{{"$geoWithin":{{"$box":[[{},{}],[{x},{y}]]}}}}}}"#,
                x - 60.0,
                y - 40.0
            ),
        }
    }

    /// A few words.
    pub fn words(&mut self) -> String {
        let all = ["red", "Green", "blue", "café", "cafe", "a-b", "over", "the", "moon"];
        (0..self.number(6)).map(|_| self.pick(&all)).collect::<Vec<_>>().join(" ")
    }

    /// A search for words.
    pub fn search(&mut self) -> String {
        let (one, other) =
            (self.pick(&["red", "CAFE", "moon", "b"]), self.pick(&["-green", "blue", "-a"]));
        format!(r#"{{"$text":{{"$search":"{one} {other}"}}}}"#)
    }
}
