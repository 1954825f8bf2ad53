//! Random values and documents of one shape: each field has a usual type and is now and then missing or null.
//!
//! `a` and `n` numbers, `s` a text, `f` a boolean, `d` a date, `c` an object `{x, y}`, `t` an array of scalars of one
//! type, `u` an array of texts, `r` an array of objects `{x, y}`, `m` anything.

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

pub struct Draw {
    random: StdRng,
    /// Whether documents may lack fields, hold nulls and empty arrays.
    pub gaps: bool,
}

impl Draw {
    pub fn new(random: StdRng) -> Self {
        Self { random, gaps: true }
    }

    pub fn below(&mut self, end: i64) -> i64 {
        self.random.random_range(0..end)
    }

    pub fn one_in(&mut self, times: i64) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as i64) as usize]
    }

    /// A number: mostly small integers, some halves.
    pub fn number(&mut self) -> Value {
        match self.below(6) {
            0 => json!(self.below(8) as f64 + 0.5),
            1 => json!(-self.below(5)),
            _ => json!(self.below(8)),
        }
    }

    pub fn integer(&mut self) -> i64 {
        self.below(10) - 2
    }

    pub fn text(&mut self) -> Value {
        let texts = ["", "a", "ab", "abc", "b", "B c", "x y z", "a,b,c", "Zz", "ac"];
        json!(if self.one_in(80) { "äö" } else { self.pick(&texts) })
    }

    pub fn date(&mut self) -> Value {
        let (year, month, day) = (2019 + self.below(5), 1 + self.below(12), 1 + self.below(28));
        let (hour, second) = (self.below(24), self.below(60));
        json!({"$date": format!("{year}-{month:02}-{day:02}T{hour:02}:30:{second:02}.000Z")})
    }

    pub fn scalar(&mut self) -> Value {
        match self.below(10) {
            0 => Value::Null,
            1..4 => self.text(),
            4 => json!(self.one_in(2)),
            5 => self.date(),
            _ => self.number(),
        }
    }

    pub fn array(&mut self, most: i64, mut each: impl FnMut(&mut Self) -> Value) -> Value {
        let least = i64::from(!self.gaps);
        (0..least + self.below(most + 1 - least)).map(|_| each(self)).collect()
    }

    /// `{x, y}`, each with a number or missing.
    pub fn object(&mut self) -> Value {
        let mut members = Map::new();
        for name in ["x", "y"] {
            if !(self.gaps && self.one_in(8)) {
                members.insert(name.to_owned(), self.number());
            }
        }
        Value::Object(members)
    }

    pub fn document(&mut self, id: i64) -> Value {
        let mut members = Map::new();
        members.insert("_id".to_owned(), json!(id));
        for name in ["a", "n", "s", "f", "d", "c", "t", "u", "r", "m"] {
            if self.gaps && self.one_in(9) {
                continue;
            }
            let value = match name {
                _ if self.gaps && self.one_in(16) => Value::Null,
                "n" => json!(self.integer()),
                "a" => self.number(),
                "s" => self.text(),
                "f" => json!(self.one_in(2)),
                "d" => self.date(),
                "c" => self.object(),
                "t" => self.array(4, Self::number),
                "u" => self.array(4, Self::text),
                "r" => self.array(3, Self::object),
                _ => self.scalar(),
            };
            members.insert(name.to_owned(), value);
        }
        Value::Object(members)
    }

    pub fn documents(&mut self, count: i64) -> Value {
        (0..count).map(|id| self.document(id)).collect()
    }
}
