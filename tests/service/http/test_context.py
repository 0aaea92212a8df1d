"""Request ids: UUIDs of version 7, each once, in the order in which they were made."""

import uuid

from service.http.context import new_request_id


def test_ids_are_uuids_of_version_7_and_sort_as_they_were_made() -> None:
    ids = [new_request_id() for _ in range(5000)]

    assert {(each.version, each.variant) for each in map(uuid.UUID, ids)} == {(7, uuid.RFC_4122)}
    assert len(set(ids)) == 5000
    assert sorted(ids) == ids
