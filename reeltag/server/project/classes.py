"""Classes that are typed: a name is enough, what it means is rated."""

from typing import TYPE_CHECKING

from reeltag.core.errors import ConfigError
from reeltag.data.class_list import ClassList, folder_of
from reeltag.server.project.new_ratings import checked_name

if TYPE_CHECKING:  # which has ratings
    from reeltag.server.project.project import Project

CLASSES_FILE = "classes.csv"


def add_class(project: "Project", name: str) -> str:
    """Add a class to the data's classes.csv, after all others, and return its name.

    Without such a file in the folder itself it is made, with the classes that there are.

    Args:
        project: of the data.
        name: of the class.

    Raises:
        ConflictError: there is such a class.
        DataError: this is no name.
        OutputError: the file cannot be written.
    """
    with project.changing:
        project.reopen()
        classes = project.data.classes
        name = checked_name(name, classes.names)
        if classes.indices is not None:
            raise ConfigError(
                "the class list leaves indices out, so that no class can be added",
                where=classes.source,
            )
        mids = None if classes.mids is None else (*classes.mids, "")
        path = folder_of(project.path) / CLASSES_FILE
        ClassList((*classes.names, name), mids).save(path)
        project.reopen()
        return name
