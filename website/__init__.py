"""The documentation site: pages that are generated when it is built, and how links are read.

make docs                 build/docs/index.html, from docs/, mkdocs.yml and the code
hooks.py                  what mkdocs calls
options.py                the options of a dataclass, as a command line has them
commands.py               a page for each command
families.py               a page of the models
modules.py                pages of the Python modules
root_pages.py             CHANGELOG.md, SECURITY.md, ... as pages of the site
links.py                  links and anchors of a built site: those that lead nowhere
"""
