//! What each format gives, and how its faults are named.

use super::*;

fn documents(format: Format, select: Option<&str>, text: &str) -> Result<String, String> {
    let (sender, mut received) = tokio::sync::mpsc::channel(16);
    let mut batches = Batches::new(sender, None);
    read(text.as_bytes(), format, select, &mut batches).map_err(|stop| stop.to_string())?;
    let mut all = String::new();
    while let Ok(batch) = received.try_recv() {
        all.push_str(std::str::from_utf8(&batch.body).unwrap());
    }
    Ok(all)
}

#[test]
fn formats_are_known_by_name() {
    assert_eq!(Format::of_name(Path::new("a/b.JSON")), Some(Format::Json));
    assert_eq!(Format::of_name(Path::new("b.ndjson")), Some(Format::Jsonl));
    assert_eq!(Format::of_name(Path::new("b.csv")), Some(Format::Csv));
    assert_eq!(Format::of_name(Path::new("-")), None);
}

#[test]
fn an_array_is_read_as_it_is_written() {
    let text = "\u{feff}[ {\"a\": 1.10},\n {\"b\":[1, {}]} ]\n";
    assert_eq!(documents(Format::Json, None, text).unwrap(), "[{\"a\": 1.10},{\"b\":[1, {}]}]");
    assert_eq!(documents(Format::Json, None, "[]").unwrap(), "");
}

#[test]
fn select_takes_the_array_in_a_member() {
    let text = r#"{"meta":[1],"3166-1":[{"alpha_2":"DE"}],"end":{}}"#;
    assert_eq!(documents(Format::Json, Some("3166-1"), text).unwrap(), "[{\"alpha_2\":\"DE\"}]");
    let fault = documents(Format::Json, Some("x"), text).unwrap_err();
    assert_eq!(fault, "no member `x`; there are: meta, 3166-1, end");
    let fault = documents(Format::Json, None, text).unwrap_err();
    assert!(fault.contains("--select: meta, 3166-1, end"), "{fault}");
}

#[test]
fn a_fault_in_json_names_document_line_and_column() {
    let fault = documents(Format::Json, None, "[{},\n{]").unwrap_err();
    assert!(fault.starts_with("document 2: ") && fault.contains("line 2 column 2"), "{fault}");
    let fault = documents(Format::Json, None, "[{},3]").unwrap_err();
    assert_eq!(fault, "document 2 is not an object");
    assert!(documents(Format::Json, None, "[{}").is_err());
    assert!(documents(Format::Json, None, "[{}] x").is_err());
    assert!(documents(Format::Json, None, "3").unwrap_err().contains("an array of documents"));
}

#[test]
fn lines_are_documents() {
    let text = "{\"a\":1}\r\n\n {\"b\":2}\n{\"c\":3}";
    assert_eq!(documents(Format::Jsonl, None, text).unwrap(), "[{\"a\":1},{\"b\":2},{\"c\":3}]");
}

#[test]
fn a_fault_in_a_line_names_line_and_column() {
    let fault = documents(Format::Jsonl, None, "{}\n\n{\"a\":}\n").unwrap_err();
    assert_eq!(fault, "line 3 (document 2): expected value at column 6");
    let fault = documents(Format::Jsonl, None, "[1]\n").unwrap_err();
    assert_eq!(fault, "line 1 (document 1) is not an object");
}

#[test]
fn rows_are_typed_documents() {
    let text = "id,name,price,zip,active\n1,\"Ann \"\"A\"\", é\",2.50,01234,true\n2,,,,\n";
    let expected =
        r#"[{"id":1,"name":"Ann \"A\", é","price":2.50,"zip":"01234","active":true},{"id":2}]"#;
    assert_eq!(documents(Format::Csv, None, text).unwrap(), expected);
}

#[test]
fn a_fault_in_csv_names_the_line() {
    let fault = documents(Format::Csv, None, "a,b\n1,2\n3\n").unwrap_err();
    assert!(fault.contains("document 2") && fault.contains("line: 3"), "{fault}");
    assert!(documents(Format::Csv, None, "a,a\n").unwrap_err().contains("two columns"));
    assert!(documents(Format::Csv, None, "a,\n").unwrap_err().contains("column 2 has no name"));
    assert!(documents(Format::Csv, None, "").unwrap_err().contains("header"));
}
