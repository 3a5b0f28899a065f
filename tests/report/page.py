"""An HTML page as a browser meets it: what it would fetch or run, what it says, whether its elements close."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

ALONE = {"meta", "br", "input", "link", "img", "hr", "base", "embed", "source"}
FOREIGN = {"script", "link", "img", "iframe", "object", "embed", "base", "source", "video", "audio", "form", "image"}
FETCHING = {"src", "href", "xlink:href", "srcset", "data", "action", "formaction", "poster", "background", "ping"}


class Page(HTMLParser):
    """A parsed page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.styles = ""
        self.unclosed: list[str] = []
        self.errors: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ALONE:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.unclosed or self.unclosed.pop() != tag:
            self.errors.append(f"</{tag}> closes nothing at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if self.unclosed and self.unclosed[-1] == "style":
            self.styles += data
        else:
            self.said.append(data)

    @property
    def words(self) -> str:
        """Everything that is read on the page."""
        return "".join(self.said)

    def asks_outside(self) -> list[str]:
        """Whatever in the page would fetch or run something."""
        found = [f"<{tag}>" for tag, _ in self.elements if tag in FOREIGN]
        for tag, attributes in self.elements:
            found += [f"<{tag} {name}>" for name in attributes if name in FETCHING or name.startswith("on")]
            found += [
                f"<{tag} style>" for name, value in attributes.items() if name == "style" and "url" in (value or "")
            ]
        found += re.findall(r"@import|url\s*\(|expression\s*\(", self.styles)
        return found


def drawings(text: str) -> list[ElementTree.Element]:
    """The page's SVG drawings, read by an XML parser. Raises ParseError for one that is not well-formed."""
    return [ElementTree.fromstring(found) for found in re.findall(r"<svg.*?</svg>", text, re.S)]


def labels(drawing: ElementTree.Element) -> str:
    """All text of a drawing."""
    return "\n".join("".join(element.itertext()) for element in drawing.iter("{http://www.w3.org/2000/svg}text"))
