"""Uses the published package for RestDB.io as its users do, against another server. Reads JSON Lines {url, key} and prints
"done" for each; a wrong answer ends the program."""

import json
import sys

from restdbio_api_wrapper import Connection
from restdbio_api_wrapper.apis import CollectionAPI
from restdbio_api_wrapper.utils import Exceptions

COLLECTION = "demo_collection"
# Has a field of children, by the side of whoever runs this.
PARENTS, FIELD, CHILDREN = "demo_parents", "notes", "demo_notes"


def point_at(url):
    """The package has its vendor's host in four templates; the first argument is the name of a database there."""
    collection = url + "/rest/{1}"
    CollectionAPI.TEMPLATE_URL_COLLECTION = collection
    CollectionAPI.TEMPLATE_URL_COLLECTION_ID = collection + "/{2}"
    CollectionAPI.TEMPLATE_URL_COLLECTION_ID_SUBCOLLECTION = collection + "/{2}/{3}"
    CollectionAPI.TEMPLATE_URL_COLLECTION_ID_SUBCOLLECTION_ID = collection + "/{2}/{3}/{4}"


def refused(kind, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except kind:
        return
    raise AssertionError(f"{call.__name__} was not refused by {kind.__name__}")


def use(url, key):
    point_at(url)
    api = Connection("any", key).collection_api
    people = [
        {"first_name": "Jack", "town": "Oslo", "weight": "70"},
        {"first_name": "Jill", "town": "Oslo", "weight": "60"},
        {"first_name": "Joe", "town": "Bergen", "weight": "80"},
    ]
    for person in people:
        api.post_new_record_on_collection(COLLECTION, person)
    api.post_new_record_on_collection(COLLECTION, {"first_name": "Ann"}, validate=False)

    def names(**named):
        found = api.get_records_from_collection(COLLECTION, **named)
        return [person["first_name"] for person in found]

    assert names() == ["Jack", "Jill", "Joe", "Ann"]
    assert names(q={"first_name": "Jack"}) == ["Jack"]
    assert names(q={"weight": {"$gt": "65"}}) == ["Jack", "Joe"]
    assert names(_filter="osl") == ["Jack", "Jill"]
    assert names(_sort="first_name") == ["Ann", "Jack", "Jill", "Joe"]
    assert names(_sort="first_name", _dir=-1, skip=1, _max=2) == ["Jill", "Jack"]
    assert names(_sort=["town", "first_name"], q={"weight": {"$exists": 1}}) == ["Joe", "Jack", "Jill"]
    groups = api.get_records_from_collection(COLLECTION, groupby="town", aggregate={"count": ""})
    assert groups == {"null": {"COUNT ": 1}, "Bergen": {"COUNT ": 1}, "Oslo": {"COUNT ": 2}}, groups

    jack = api.get_records_from_collection(COLLECTION, q={"first_name": "Jack"})[0]
    assert sorted(jack) == ["_id", "first_name", "town", "weight"], jack
    one = jack["_id"]
    assert api.get_record_from_collection(COLLECTION, one) == jack
    api.put_existing_record_in_collection(COLLECTION, one, {"town": "Rome"})
    api.patch_existing_record_in_collection(COLLECTION, one, {"weight": "71"})
    changed = api.get_record_from_collection(COLLECTION, one)
    assert changed == {**jack, "town": "Rome", "weight": "71"}, changed

    api.delete_record_by_id(COLLECTION, one)
    refused(Exceptions.NotFound, api.get_record_from_collection, COLLECTION, one)
    api.delete_record_by_query(COLLECTION, q={"town": "Oslo"})
    assert names() == ["Joe", "Ann"]

    stranger = Connection("any", "597a2c3d4e5f60718293a4b5").collection_api
    refused(Exceptions.Forbidden, stranger.get_records_from_collection, COLLECTION)
    refused(Exceptions.NotFound, api.get_records_from_collection, "nothing")
    refused(Exceptions.BadRequest, api.get_records_from_collection, COLLECTION, _dir="up", _sort="a")


def use_children(url, key):
    """Sub-collections: the package lists them, reads one and adds to them; it changes and deletes by their own collection."""
    point_at(url)
    api = Connection("any", key).collection_api
    for name in ["Ann", "Bob"]:
        api.post_new_record_on_collection(PARENTS, {"name": name})
    ann, bob = [one["_id"] for one in api.get_records_from_collection(PARENTS)]
    assert api.get_records_from_subcollection(PARENTS, ann, FIELD) == []
    api.post_new_record_on_subcollection(PARENTS, ann, FIELD, {"text": "one"})
    api.post_new_record_on_subcollection(PARENTS, ann, FIELD, {"text": "two"}, validate=False)
    api.post_new_record_on_subcollection(PARENTS, bob, FIELD, {"text": "three"})

    def texts(parent):
        return [note["text"] for note in api.get_records_from_subcollection(PARENTS, parent, FIELD)]

    assert (texts(ann), texts(bob)) == (["one", "two"], ["three"]), (texts(ann), texts(bob))
    note = api.get_records_from_subcollection(PARENTS, ann, FIELD)[0]
    assert (note["_parent_id"], note["_parent_def"], note["_parent_field"]) == (ann, PARENTS, FIELD), note
    one = note["_id"]
    assert api.get_record_from_subcollection(PARENTS, ann, FIELD, one) == note
    refused(Exceptions.NotFound, api.get_record_from_subcollection, PARENTS, bob, FIELD, one)
    refused(Exceptions.NotFound, api.get_records_from_subcollection, PARENTS, ann, "ideas")
    api.patch_existing_record_in_collection(CHILDREN, one, {"text": "more"})
    api.put_existing_record_in_collection(CHILDREN, one, {**note, "text": "most"})
    assert texts(ann) == ["most", "two"]
    api.delete_record_by_id(CHILDREN, one)
    assert texts(ann) == ["two"]


for line in sys.stdin:
    asked = json.loads(line)
    use(asked["url"], asked["key"])
    use_children(asked["url"], asked["key"])
    print(json.dumps("done"))
