//! Groups and aggregates with their odd keys.

use serde_json::json;

use super::Scene;

#[tokio::test]
async fn functions_have_their_name_a_blank_and_the_field_as_key() {
    let scene = Scene::new().await;
    let functions = r#"{"$aggregate":["COUNT:","SUM:salary","AVG:age","MAX:age","MIN:nothing"]}"#;
    let found = scene.list(&[("h", functions)]).await.expect(200).body;
    assert_eq!(found["COUNT "], 3);
    assert_eq!(found["SUM salary"], 21500);
    assert!((found["AVG age"].as_f64().unwrap() - 128.0 / 3.0).abs() < 1e-9);
    assert_eq!(found["MAX age"]["name"], "Jack");
    assert_eq!(found["MAX age"]["_created"], json!(null));
    assert_eq!(found["MIN nothing"], json!(null));
    let by_parameters =
        [("aggregate", "SUM:age"), ("aggregate", "MIN:salary"), ("q", r#"{"town":"Oslo"}"#)];
    let found = scene.list(&by_parameters).await.expect(200).body;
    assert_eq!((&found["SUM age"], &found["MIN salary"]["name"]), (&json!(93), &json!("Joe")));
    let none = [("q", r#"{"town":"Rome"}"#), ("h", r#"{"$aggregate":["COUNT:n","AVG:age"]}"#)];
    let found = scene.list(&none).await.expect(200).body;
    assert_eq!(found, json!({"COUNT n": 0, "AVG age": null}));
    let none = [("aggregate", "COUNT:n"), ("max", "0")];
    assert_eq!(scene.list(&none).await.expect(200).body, json!({"COUNT n": 0}));
}

#[tokio::test]
async fn groups_are_objects_by_their_key() {
    let scene = Scene::new().await;
    let found = scene.list(&[("groupby", "town"), ("sort", "age")]).await.expect(200).body;
    assert_eq!(found.as_object().unwrap().len(), 2);
    assert_eq!(found["Oslo"][0]["name"], "Joe");
    assert_eq!(found["Oslo"][1]["name"], "Jack");
    assert_eq!(found["Bergen"][0]["name"], "Jane");
    let h = r#"{"$groupby":["town"],"$aggregate":["MAX:age"]}"#;
    let found = scene.list(&[("h", h)]).await.expect(200).body;
    assert_eq!(found["Oslo"]["MAX age"]["name"], "Jack");
    let h = r#"{"$groupby":["$YEAR:born","town"],"$aggregate":["COUNT:"],"$aggregate-grand-total":true}"#;
    let found = scene.list(&[("h", h)]).await.expect(200).body;
    let wanted = json!({
        "1972": {"Oslo": {"COUNT ": 1}, "$grand-total": {"COUNT ": 1}},
        "1980": {"Oslo": {"COUNT ": 1}, "$grand-total": {"COUNT ": 1}},
        "1987": {"Bergen": {"COUNT ": 1}, "$grand-total": {"COUNT ": 1}},
        "$grand-total": {"COUNT ": 3},
    });
    assert_eq!(found, wanted);
    let h = r#"{"$groupby":["$DATE.MM:born"],"$aggregate":["COUNT:"]}"#;
    let found = scene.list(&[("h", h)]).await.expect(200).body;
    assert_eq!(found, json!({"01": {"COUNT ": 1}, "05": {"COUNT ": 2}}));
    let found = scene.list(&[("groupby", "_createdby"), ("aggregate", "COUNT:")]).await;
    assert_eq!(found.expect(200).body, json!({"api": {"COUNT ": 3}}));
    let nothing = scene.list(&[("groupby", "nothing"), ("aggregate", "COUNT:x")]).await;
    assert_eq!(nothing.expect(200).body, json!({"null": {"COUNT x": 3}}));
}

#[tokio::test]
async fn fields_and_functions_are_bounded() {
    let scene = Scene::new().await;
    let path = |name: &str, count| {
        format!("/rest/people?{}", vec![format!("{name}=COUNT:"); count].join("&"))
    };
    scene.root.get(&path("aggregate", 64)).await.expect(200);
    scene.root.get(&path("aggregate", 65)).await.expect(400);
    scene.root.get(&path("groupby", 17)).await.expect(400);
}

#[tokio::test]
async fn what_is_no_function_is_refused_by_name() {
    let scene = Scene::new().await;
    for (h, named) in [
        (r#"{"$aggregate":["MEDIAN:age"]}"#, "MEDIAN"),
        (r#"{"$aggregate":["SUM:"]}"#, "SUM"),
        (r#"{"$groupby":["$WEEKDAY:born"]}"#, "WEEKDAY"),
        (r#"{"$groupby":["$DATE.Q:born"]}"#, "Q"),
    ] {
        let refused = scene.list(&[("h", h)]).await.expect(400);
        assert!(refused.body["message"].as_str().unwrap().contains(named), "{}", refused.text);
    }
}
