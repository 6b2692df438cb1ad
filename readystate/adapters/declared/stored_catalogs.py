"""Catalogs from annotation texts: those kept in the database, and those that are only checked."""

import threading
from collections.abc import Mapping, Sequence

from readystate.adapters.declared.annotation_files import AnnotationFiles
from readystate.adapters.declared.annotations import build_catalog, declare_roles, unread
from readystate.domain.catalog import Catalog
from readystate.domain.catalog_check import catalog_problems
from readystate.domain.errors import AnnotationInvalid, AnnotationsInvalid
from readystate.ports.store import Store


class StoredCatalogs:
    """Built once for each version, which never changes. Thread-safe."""

    def __init__(self) -> None:
        self._built: dict[str, Catalog] = {}
        self._lock = threading.Lock()

    def book_for(self, version: str, files: Mapping[str, str]) -> Catalog:
        """What the store asks for when it meets a version."""
        with self._lock:
            if version not in self._built:
                self._built[version] = build_catalog(AnnotationFiles.of_texts(files))
            return self._built[version]

    def of(self, store: Store, version: str) -> Catalog:
        """Raises NotFound."""
        with self._lock:
            known = self._built.get(version)
        if known is not None:
            return known
        return self.book_for(version, store.read(lambda reader: reader.catalog_files(version)))

    def load_all(self, store: Store) -> None:
        """Those in force. Done at the start, because asking the store for one in the middle of a
        read takes a second of its few connections."""
        deployments = store.read(lambda reader: reader.deployments())
        for version in {item.catalog_version for item in deployments}:
            self.of(store, version)


def check_texts(texts: Mapping[str, str]) -> Sequence[AnnotationInvalid]:
    """Problems of annotation texts by path below their folder, by file and line."""
    files = AnnotationFiles.of_texts(texts)
    declared, problems = declare_roles(files)
    found = [*problems, *catalog_problems(declared, unread(files, declared))]
    return AnnotationsInvalid(found).problems
