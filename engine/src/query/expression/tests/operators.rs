//! Arithmetic, comparison, strings, arrays, sets and documents.

use super::check;

const DOC: &str = r#"{"_id":1,"a":7,"l":{"$numberLong":"5"},"n":null,"s":"Hello","u":"ünï😀","arr":[3,1,2],
  "o":{"x":1,"y":{"z":2}},"docs":[{"v":1},{"w":2},{"v":[3]},5,[{"v":9}]],"dec":{"$numberDecimal":"1.10"},
  "d":{"$date":"2024-03-10T10:00:00Z"}}"#;

#[test]
fn paths_map_over_arrays_of_documents() {
    check(
        DOC,
        &[
            (r#""$a""#, "7"),
            (r#""$o.y.z""#, "2"),
            (r#""$o.q.z""#, "-"),
            (r#""$a.b""#, "-"),
            (r#""$docs.v""#, "[1,[3]]"),
            (r#""$arr.v""#, "[]"),
            (r#""$arr.0""#, "[]"),
            (r#""$zz""#, "-"),
            (r#"["$zz","$a"]"#, "[null,7]"),
            (r#"{"p":"$zz","q":"$a","r":"$$REMOVE"}"#, r#"{"q":7}"#),
            (r#""$$ROOT.o.x""#, "1"),
            (r#""$$CURRENT.o.x""#, "1"),
            (r#""$$NOW""#, r#"{"$date":{"$numberLong":"1700000000000"}}"#),
        ],
    );
}

#[test]
fn arithmetic_keeps_types_and_judges_operands() {
    check(
        DOC,
        &[
            (r#"{"$add":["$a",1]}"#, "8"),
            (r#"{"$add":["$l",1]}"#, r#"{"$numberLong":"6"}"#),
            (r#"{"$add":["$dec",0.5]}"#, r#"{"$numberDecimal":"1.600000000000000"}"#),
            (r#"{"$add":["$a","$n"]}"#, "null"),
            (r#"{"$add":["$a","$s"]}"#, "!"),
            (r#"{"$add":["$d",1]}"#, r#"{"$date":{"$numberLong":"1710064800001"}}"#),
            (r#"{"$add":["$d","$d"]}"#, "!"),
            (r#"{"$add":[]}"#, "0"),
            (r#"{"$add":[{"$numberLong":"9223372036854775807"},1]}"#, "9223372036854775807.0"),
            (r#"{"$subtract":["$d","$d"]}"#, r#"{"$numberLong":"0"}"#),
            (r#"{"$multiply":["$a",{"$numberDecimal":"0.1"}]}"#, r#"{"$numberDecimal":"0.7"}"#),
            (r#"{"$divide":["$a",0]}"#, "!"),
            (r#"{"$divide":["$a",7]}"#, "1.0"),
            (r#"{"$mod":[-7,4]}"#, "-3"),
            (r#"{"$mod":["$a",0]}"#, "!"),
            (r#"{"$abs":-5}"#, "5"),
            (r#"{"$abs":{"$numberLong":"-9223372036854775808"}}"#, "!"),
            (r#"{"$round":2.5}"#, "2.0"),
            (r#"{"$round":[1234,-2]}"#, "1200"),
            (r#"{"$round":[1.005,101]}"#, "!"),
            (r#"{"$trunc":-2.9}"#, "-2.0"),
            (r#"{"$ceil":"$a"}"#, "7"),
            (r#"{"$pow":[2,10]}"#, "1024"),
            (r#"{"$pow":[2,40]}"#, r#"{"$numberLong":"1099511627776"}"#),
            (r#"{"$pow":[2,-1]}"#, "0.5"),
            (r#"{"$pow":[0,-1]}"#, "!"),
            (r#"{"$pow":[{"$numberDecimal":"1.1"},2]}"#, r#"{"$numberDecimal":"1.21"}"#),
            (
                r#"{"$sqrt":{"$numberDecimal":"2"}}"#,
                r#"{"$numberDecimal":"1.414213562373095048801688724209698"}"#,
            ),
            (r#"{"$log":[8,2]}"#, "3.0"),
            (r#"{"$log10":1000}"#, "3.0"),
            (r#"{"$acos":2}"#, "!"),
            (r#"{"$sin":0}"#, "0.0"),
            (r#"{"$sin":"$n"}"#, "null"),
            (r#"{"$bitAnd":["$a",{"$numberLong":"3"}]}"#, r#"{"$numberLong":"3"}"#),
            (r#"{"$bitOr":["$a",8.0]}"#, "!"),
            (r#"{"$bitNot":5}"#, "-6"),
        ],
    );
}

#[test]
fn comparison_is_the_total_order() {
    check(
        DOC,
        &[
            (r#"{"$eq":["$l",5]}"#, "true"),
            (r#"{"$eq":["$n","$zz"]}"#, "false"),
            (r#"{"$lt":["$zz","$n"]}"#, "true"),
            (r#"{"$gt":["$zz",{"$minKey":1}]}"#, "true"),
            (r#"{"$gt":["5",5]}"#, "true"),
            (r#"{"$cmp":[[1],{"a":1}]}"#, "1"),
            (r#"{"$and":[1,"",[]]}"#, "true"),
            (r#"{"$and":[1,null]}"#, "false"),
            (r#"{"$or":[0,{"$numberDecimal":"0.0"}]}"#, "false"),
            (r#"{"$not":["$zz"]}"#, "true"),
            (r#"{"$cond":[{"$gt":["$a",5]},"y",{"$divide":[1,0]}]}"#, r#""y""#),
            (r#"{"$ifNull":["$n","$zz"]}"#, "-"),
            (r#"{"$switch":{"branches":[{"case":"$n","then":1}]}}"#, "!"),
            (r#"{"$switch":{"branches":[{"case":"$a","then":1}]}}"#, "1"),
        ],
    );
}

#[test]
fn strings_follow_the_rules_about_null() {
    check(
        DOC,
        &[
            (r#"{"$concat":["$s","!"]}"#, r#""Hello!""#),
            (r#"{"$concat":["$s","$n"]}"#, "null"),
            (r#"{"$concat":["$s",1]}"#, "!"),
            (r#"{"$toUpper":"$n"}"#, r#""""#),
            (r#"{"$toUpper":12}"#, r#""12""#),
            (r#"{"$toLower":"ÄB"}"#, r#""Äb""#),
            (r#"{"$strLenCP":"$u"}"#, "4"),
            (r#"{"$strLenBytes":"$u"}"#, "9"),
            (r#"{"$strLenCP":"$n"}"#, "!"),
            (r#"{"$substrCP":["$u",1,2]}"#, r#""nï""#),
            (r#"{"$substrCP":["$n",0,2]}"#, r#""""#),
            (r#"{"$substrBytes":["$u",0,2]}"#, r#""ü""#),
            (r#"{"$substrBytes":["$u",0,1]}"#, "!"),
            (r#"{"$substr":["$s",1,-1]}"#, r#""ello""#),
            (r#"{"$indexOfCP":["$u","😀"]}"#, "3"),
            (r#"{"$indexOfBytes":["$u","😀"]}"#, "5"),
            (r#"{"$indexOfCP":["$s","l",3]}"#, "3"),
            (r#"{"$indexOfCP":["$s","l",0,2]}"#, "-1"),
            (r#"{"$split":["a,b,,c",","]}"#, r#"["a","b","","c"]"#),
            (r#"{"$split":["$n",","]}"#, "null"),
            (r#"{"$trim":{"input":"  x\n"}}"#, r#""x""#),
            (r#"{"$ltrim":{"input":"xxa","chars":"x"}}"#, r#""a""#),
            (r#"{"$trim":{"input":"x","chars":"$n"}}"#, "null"),
            (r#"{"$replaceOne":{"input":"aXbX","find":"X","replacement":"-"}}"#, r#""a-bX""#),
            (r#"{"$replaceAll":{"input":"aXbX","find":"X","replacement":"-"}}"#, r#""a-b-""#),
            (r#"{"$replaceAll":{"input":"ab","find":"","replacement":"-"}}"#, r#""-a-b-""#),
            (r#"{"$replaceAll":{"input":"ab","find":"$n","replacement":"-"}}"#, "null"),
            (r#"{"$strcasecmp":["abc","ABD"]}"#, "-1"),
            (r#"{"$regexMatch":{"input":"$s","regex":"^h","options":"i"}}"#, "true"),
            (
                r#"{"$regexFind":{"input":"$u","regex":"(ï)|(q)"}}"#,
                r#"{"match":"ï","idx":2,"captures":["ï",null]}"#,
            ),
            (
                r#"{"$regexFindAll":{"input":"a1b22","regex":"[0-9]+"}}"#,
                r#"[{"match":"1","idx":1,"captures":[]},{"match":"22","idx":3,"captures":[]}]"#,
            ),
            (
                r#"{"$regexFindAll":{"input":"ab","regex":""}}"#,
                r#"[{"match":"","idx":0,"captures":[]},{"match":"","idx":1,"captures":[]},{"match":"","idx":2,"captures":[]}]"#,
            ),
            (r#"{"$regexFindAll":{"input":"$n","regex":"x"}}"#, "[]"),
            (
                r#"{"$regexFind":{"input":"$s","regex":"$s"}}"#,
                r#"{"match":"Hello","idx":0,"captures":[]}"#,
            ),
            (r#"{"$regexMatch":{"input":"$s","regex":"("}}"#, "!"),
        ],
    );
}

#[test]
fn arrays_and_sets() {
    check(
        DOC,
        &[
            (r#"{"$size":"$arr"}"#, "3"),
            (r#"{"$size":"$n"}"#, "!"),
            (r#"{"$arrayElemAt":["$arr",-1]}"#, "2"),
            (r#"{"$arrayElemAt":["$arr",9]}"#, "-"),
            (r#"{"$arrayElemAt":[[1],9]}"#, "-"),
            (r#"{"$first":"$n"}"#, "null"),
            (r#"{"$last":[["$a",8]]}"#, "8"),
            (r#"{"$in":[1.0,"$arr"]}"#, "true"),
            (r#"{"$in":[1,"$n"]}"#, "!"),
            (r#"{"$slice":["$arr",-2,1]}"#, "[1]"),
            (r#"{"$slice":["$arr",-9,2]}"#, "[3,1]"),
            (r#"{"$slice":["$arr",1,0]}"#, "!"),
            (r#"{"$slice":["$arr",0]}"#, "[]"),
            (r#"{"$concatArrays":["$arr",[9]]}"#, "[3,1,2,9]"),
            (r#"{"$concatArrays":["$arr","$n"]}"#, "null"),
            (r#"{"$range":[0,5,2]}"#, "[0,2,4]"),
            (r#"{"$range":[0,5,0]}"#, "!"),
            (r#"{"$reverseArray":"$arr"}"#, "[2,1,3]"),
            (
                r#"{"$zip":{"inputs":["$arr",["a"]],"useLongestLength":true}}"#,
                r#"[[3,"a"],[1,null],[2,null]]"#,
            ),
            (r#"{"$sortArray":{"input":"$arr","sortBy":-1}}"#, "[3,2,1]"),
            (
                r#"{"$sortArray":{"input":[{"k":2},{"k":1}],"sortBy":{"k":1}}}"#,
                r#"[{"k":1},{"k":2}]"#,
            ),
            (r#"{"$indexOfArray":["$arr",2,1]}"#, "2"),
            (r#"{"$firstN":{"input":"$arr","n":2}}"#, "[3,1]"),
            (r#"{"$maxN":{"input":["$n","$a",9],"n":2}}"#, "[9,7]"),
            (r#"{"$firstN":{"input":"$arr","n":0}}"#, "!"),
            (r#"{"$setUnion":["$arr",[2.0,4]]}"#, "[1,2,3,4]"),
            (r#"{"$setIntersection":["$arr",[2,3,3]]}"#, "[2,3]"),
            (r#"{"$setDifference":["$arr",[1]]}"#, "[3,2]"),
            (r#"{"$setEquals":["$arr",[1,2,3,3]]}"#, "true"),
            (r#"{"$setIsSubset":[[1],"$arr"]}"#, "true"),
            (r#"{"$setIsSubset":["$n","$arr"]}"#, "!"),
            (r#"{"$allElementsTrue":[[1,"",0]]}"#, "false"),
            (r#"{"$anyElementTrue":["$arr"]}"#, "true"),
        ],
    );
}

#[test]
fn documents_and_accumulators() {
    check(
        DOC,
        &[
            (r#"{"$mergeObjects":["$o","$n",{"x":9,"n":1}]}"#, r#"{"x":9,"y":{"z":2},"n":1}"#),
            (r#"{"$mergeObjects":["$o",1]}"#, "!"),
            (r#"{"$objectToArray":{"p":1}}"#, r#"[{"k":"p","v":1}]"#),
            (r#"{"$arrayToObject":[[["p",1],["q",2],["p",3]]]}"#, r#"{"p":3,"q":2}"#),
            (r#"{"$arrayToObject":[[{"k":"p","v":1}]]}"#, r#"{"p":1}"#),
            (r#"{"$arrayToObject":[[["p",1],{"k":"q","v":1}]]}"#, "!"),
            (r#"{"$getField":"a"}"#, "7"),
            (r#"{"$getField":{"field":"x","input":"$o"}}"#, "1"),
            (r#"{"$getField":{"field":"x","input":"$zz"}}"#, "-"),
            (r#"{"$setField":{"field":"x","input":"$o","value":"$$REMOVE"}}"#, r#"{"y":{"z":2}}"#),
            (r#"{"$setField":{"field":"$w","input":{},"value":1}}"#, "!"),
            (r#"{"$setField":{"field":{"$literal":"$w"},"input":{},"value":1}}"#, r#"{"$w":1}"#),
            (r#"{"$unsetField":{"field":"y","input":"$o"}}"#, r#"{"x":1}"#),
            (r#"{"$bsonSize":{"a":1}}"#, "12"),
            (r#"{"$binarySize":"$u"}"#, "9"),
            (r#"{"$sum":"$arr"}"#, "6"),
            (r#"{"$sum":["$a","$arr","x"]}"#, "7"),
            (r#"{"$sum":[0.1,0.2,0.3,0.4,0.5,0.6]}"#, "2.1"),
            (r#"{"$sum":["$dec",1.0]}"#, r#"{"$numberDecimal":"2.10000000000000"}"#),
            (r#"{"$avg":[1,2,null,3]}"#, "2.0"),
            (r#"{"$avg":[]}"#, "null"),
            (r#"{"$min":["$n",3,"x"]}"#, "3"),
            (r#"{"$max":"$arr"}"#, "3"),
            (r#"{"$stdDevPop":[1,3]}"#, "1.0"),
            (r#"{"$stdDevSamp":[1]}"#, "null"),
            (r#"{"$median":{"input":[1,5,3],"method":"approximate"}}"#, "3.0"),
            (r#"{"$percentile":{"input":"$arr","p":[0.5,1],"method":"approximate"}}"#, "[2.0,3.0]"),
        ],
    );
}
