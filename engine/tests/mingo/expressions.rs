//! Random expressions, by the type of their result, over the documents of `draw`.

use serde_json::{Value, json};

use super::draw::Draw;

impl Draw {
    /// Any expression.
    pub fn expression(&mut self, depth: u32) -> Value {
        match self.below(8) {
            0 | 1 => self.numeric(depth),
            2 => self.textual(depth),
            3 => self.truth(depth),
            4 => self.list(depth),
            5 => self.dated(depth),
            6 => self.shaped(depth),
            _ => json!(self.pick(&["$m", "$c", "$r", "$r.x", "$c.x", "$_id"])),
        }
    }

    pub fn numeric(&mut self, depth: u32) -> Value {
        if depth == 0 {
            return match self.below(4) {
                0 => self.number(),
                _ => json!(self.pick(&["$a", "$n", "$c.x", "$c.y", "$_id"])),
            };
        }
        let down = depth - 1;
        match self.below(26) {
            0 | 1 => json!({"$add": [self.numeric(down), self.numeric(down)]}),
            2 => json!({"$subtract": [self.numeric(down), self.numeric(down)]}),
            3 => json!({"$multiply": [self.numeric(down), self.numeric(down)]}),
            4 => json!({"$divide": [self.numeric(down), 1 + self.below(4)]}),
            5 => json!({"$mod": [self.numeric(down), 1 + self.below(4)]}),
            6 => json!({self.pick(&["$abs", "$ceil", "$floor", "$toDouble"]): self.numeric(down)}),
            7 => json!({self.pick(&["$round", "$trunc"]): [self.numeric(down), self.below(3)]}),
            8 => json!({"$strLenCP": {"$ifNull": [self.textual(down), ""]}}),
            9 => json!({"$strLenBytes": {"$ifNull": [self.textual(down), ""]}}),
            10 => json!({"$size": {"$ifNull": [self.list(down), []]}}),
            11 => json!({self.pick(&["$sum", "$avg", "$max", "$min"]): self.numbers(down)}),
            12 => json!({self.pick(&["$sum", "$max"]): [self.numeric(down), self.numeric(down)]}),
            13 => json!({"$cond": [self.truth(down), self.numeric(down), self.numeric(down)]}),
            14 => json!({"$ifNull": [self.numeric(down), self.number()]}),
            15 => json!({"$arrayElemAt": [self.numbers(down), self.integer()]}),
            16 => json!({self.pick(&["$first", "$last"]): self.numbers(down)}),
            17 => {
                json!({self.pick(&["$year", "$month", "$dayOfMonth", "$hour", "$second", "$dayOfWeek", "$dayOfYear", "$isoDayOfWeek", "$isoWeek", "$millisecond"]): self.dated(down)})
            }
            18 => {
                json!({"$reduce": {"input": self.numbers(down), "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}})
            }
            19 => json!({"$let": {"vars": {"v": self.numeric(down)}, "in": {"$add": ["$$v", 1]}}}),
            20 => {
                json!({"$switch": {"branches": [{"case": self.truth(down), "then": self.numeric(down)}], "default": self.number()}})
            }
            21 => json!({"$indexOfArray": [self.numbers(down), self.number()]}),
            22 => json!({"$strcasecmp": [self.textual(down), "b"]}),
            23 => json!({"$cmp": [self.numeric(down), self.numeric(down)]}),
            24 => {
                json!({"$dateDiff": {"startDate": self.dated(down), "endDate": self.dated(down), "unit": self.pick(&["day", "month", "year", "hour"])}})
            }
            _ => json!({"$pow": [self.numeric(0), 2]}),
        }
    }

    pub fn textual(&mut self, depth: u32) -> Value {
        if depth == 0 {
            return if self.one_in(3) { self.text() } else { json!("$s") };
        }
        let down = depth - 1;
        match self.below(13) {
            0 | 1 => json!({"$concat": [self.textual(down), self.textual(down)]}),
            2 => json!({self.pick(&["$toUpper", "$toLower"]): self.textual(down)}),
            3 => json!({"$substrCP": [self.textual(down), self.below(3), self.below(4)]}),
            4 => json!({"$trim": {"input": self.textual(down)}}),
            5 => {
                json!({self.pick(&["$ltrim", "$rtrim"]): {"input": self.textual(down), "chars": "ab"}})
            }
            6 => {
                json!({self.pick(&["$replaceOne", "$replaceAll"]): {"input": self.textual(down), "find": "b", "replacement": "Q"}})
            }
            7 => json!({"$toString": self.numeric(0)}),
            8 => {
                json!({"$dateToString": {"date": self.dated(down), "format": self.pick(&["%Y-%m-%d", "%H:%M:%S", "%j %u", "%Y %L", "%G-%V"])}})
            }
            9 => {
                json!({"$cond": {"if": self.truth(down), "then": self.textual(down), "else": self.textual(down)}})
            }
            10 => json!({"$type": self.pick(&["$s", "$c", "$t", "$f", "$d", "$zz"])}),
            11 => json!({"$arrayElemAt": [self.texts(down), self.integer()]}),
            _ => json!({"$ifNull": [self.textual(down), "none"]}),
        }
    }

    pub fn truth(&mut self, depth: u32) -> Value {
        if depth == 0 {
            return json!("$f");
        }
        let down = depth - 1;
        match self.below(13) {
            0..3 => {
                json!({self.pick(&["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]): [self.numeric(down), self.numeric(down)]})
            }
            3 => {
                json!({self.pick(&["$eq", "$gt", "$lte"]): [self.textual(down), self.textual(down)]})
            }
            4 => json!({self.pick(&["$and", "$or"]): [self.truth(down), self.truth(down)]}),
            5 => json!({"$not": [self.truth(down)]}),
            6 => json!({"$in": [self.numeric(down), {"$ifNull": [self.numbers(down), []]}]}),
            7 => json!({"$isArray": [self.pick(&["$t", "$s", "$r"])]}),
            8 => json!({"$isNumber": self.pick(&["$a", "$s", "$m"])}),
            9 => {
                json!({"$regexMatch": {"input": self.textual(down), "regex": self.pick(&["^a", "b", "c$"])}})
            }
            10 => {
                json!({self.pick(&["$anyElementTrue", "$allElementsTrue"]): [{"$ifNull": [self.numbers(down), []]}]})
            }
            11 => {
                json!({self.pick(&["$setEquals", "$setIsSubset"]): [{"$ifNull": ["$t", []]}, [self.number(), self.number()]]})
            }
            _ => json!({self.pick(&["$eq", "$lt", "$gte"]): [self.dated(down), self.dated(down)]}),
        }
    }

    fn numbers(&mut self, depth: u32) -> Value {
        if depth == 0 {
            return json!(self.pick(&["$t", "$t", "$r.x", "$r.y"]));
        }
        let down = depth - 1;
        match self.below(11) {
            0 => {
                json!({"$filter": {"input": self.numbers(down), "as": "e", "cond": {"$gt": ["$$e", self.number()]}}})
            }
            1 => {
                json!({"$map": {"input": self.numbers(down), "as": "e", "in": {"$multiply": ["$$e", 2]}}})
            }
            2 => json!({"$slice": [self.numbers(down), self.below(4) + 1]}),
            3 => json!({"$slice": [self.numbers(down), self.below(3), 1 + self.below(3)]}),
            4 => json!({"$concatArrays": [self.numbers(down), self.numbers(down)]}),
            5 => json!({"$reverseArray": self.numbers(down)}),
            6 => {
                json!({"$sortArray": {"input": self.numbers(down), "sortBy": 1 - 2 * self.below(2)}})
            }
            7 => json!({"$range": [self.below(3), self.below(9), 1 + self.below(3)]}),
            8 => json!([self.numeric(down), self.numeric(down)]),
            9 => {
                json!({self.pick(&["$firstN", "$lastN", "$maxN", "$minN"]): {"n": 1 + self.below(3), "input": self.numbers(down)}})
            }
            _ => json!(self.pick(&["$t", "$r.x"])),
        }
    }

    fn texts(&mut self, depth: u32) -> Value {
        if depth == 0 {
            return json!("$u");
        }
        match self.below(3) {
            0 => json!({"$split": [self.textual(depth - 1), ","]}),
            1 => json!({"$map": {"input": "$u", "in": {"$toUpper": "$$this"}}}),
            _ => json!({"$slice": ["$u", 1 + self.below(3)]}),
        }
    }

    fn list(&mut self, depth: u32) -> Value {
        if depth == 0 {
            return json!(self.pick(&["$t", "$u", "$r"]));
        }
        let down = depth - 1;
        match self.below(8) {
            0 => self.texts(down),
            1 | 2 => {
                let name = self.pick(&["$setUnion", "$setIntersection", "$setDifference"]);
                let set = json!({name: [self.numbers(down), self.numbers(down)]});
                json!({"$sortArray": {"input": set, "sortBy": 1}})
            }
            3 => json!({"$zip": {"inputs": [self.numbers(down), self.numbers(down)]}}),
            4 => json!({"$objectToArray": "$c"}),
            5 => json!({"$regexFindAll": {"input": self.textual(0), "regex": "[a-c]+"}}),
            _ => self.numbers(depth),
        }
    }

    fn dated(&mut self, depth: u32) -> Value {
        if depth == 0 {
            return json!("$d");
        }
        let down = depth - 1;
        match self.below(6) {
            0 => {
                json!({"$dateAdd": {"startDate": self.dated(down), "unit": self.pick(&["day", "hour", "week", "month", "year"]), "amount": self.integer()}})
            }
            1 => {
                json!({"$dateSubtract": {"startDate": self.dated(down), "unit": self.pick(&["day", "minute"]), "amount": self.integer()}})
            }
            2 => {
                json!({"$dateTrunc": {"date": self.dated(down), "unit": self.pick(&["day", "hour", "month", "year", "week"])}})
            }
            3 => json!({"$toDate": {"$toLong": {"$multiply": ["$_id", 86_400_000]}}}),
            _ => json!("$d"),
        }
    }

    fn shaped(&mut self, depth: u32) -> Value {
        match self.below(6) {
            0 => json!({"$mergeObjects": ["$c", {"y": self.numeric(depth.min(1))}]}),
            1 => json!({"p": self.numeric(depth.min(1)), "q": self.textual(depth.min(1))}),
            2 => {
                json!({"$arrayToObject": {"$zip": {"inputs": [["k", "l"], [self.numeric(0), 2]]}}})
            }
            3 => json!({"$regexFind": {"input": "$s", "regex": "(a)(b)?"}}),
            4 => json!({"$setField": {"field": "z", "input": "$c", "value": self.numeric(0)}}),
            _ => json!({"$dateToParts": {"date": "$d"}}),
        }
    }
}
