"""Makes ../../libs/webdataset/src/fixtures: tar archives of Python's tarfile in its three formats, the samples that the webdataset package reads from
them, and their indexes by the layout that DALI's wds2idx writes.

Needs webdataset 1.0 (pip install webdataset), and nothing else of this folder. Run: python make_webdataset_values.py
"""
import gzip, hashlib, io, json, pathlib, tarfile
from webdataset.tariterators import group_by_keys, tar_file_expander

OUT = pathlib.Path(__file__).parent / "../../libs/webdataset/src/fixtures"
LONG = "folder-with-a-long-name/" * 6
NAMES = [
    "000.jpg", "000.txt", "000.seg.png", "001.JPG", "001.json", "train/a/002.jpg", "train/a/002.txt", "train/b/002.jpg", "./003.jpg", "v1.2/004.jpg", "v1.2/004.txt",
    "005.jpg", "006.jpg", "005.txt", "README", "__meta__", "__extra__/007.jpg", "empty.txt", "with space.jpg", "caf\u00e9.jpg", "\u732b/\u5199\u771f.jpg",
    LONG + "x.jpg", LONG + "x.txt", "a" * 99 + ".jpg", "a" * 96 + ".jpg", "p" * 60 + "/" + "q" * 90 + ".jpg", "last.cls", "last.jpg",
]


def contents(name, position):
    if name.startswith("empty"): return b""
    size = [1, 511, 512, 513, 1500][position % 5]
    return (hashlib.sha256(name.encode()).digest() * 50)[:size]


def make(format):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as tar:
        folder = tarfile.TarInfo("train"); folder.type = tarfile.DIRTYPE; tar.addfile(folder)
        for position, name in enumerate(NAMES):
            if format == tarfile.USTAR_FORMAT and (len(name) > 150 or (len(name) > 100 and "/" not in name)): continue
            info = tarfile.TarInfo(name); data = contents(name, position); info.size = len(data); info.mtime = 1.5 if format == tarfile.PAX_FORMAT else 1
            tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link-only"); link.type = tarfile.SYMTYPE; link.linkname = "000.jpg"; tar.addfile(link)
    return stream.getvalue()


def samples(archive):
    files = tar_file_expander([{"url": "x", "stream": io.BytesIO(archive)}])
    for sample in group_by_keys(files):
        yield {"key": sample.pop("__key__"), "files": {k: [len(v), hashlib.sha256(v).hexdigest()] for k, v in sample.items() if not k.startswith("__")}}


def offsets(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: [member.offset_data, member.size] for member in tar if member.isreg()}


OUT.mkdir(parents=True, exist_ok=True)
expected = {}
for name, format in {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}.items():
    archive = make(format)
    (OUT / f"{name}.tar.gz").write_bytes(gzip.compress(archive, mtime=0))
    expected[name] = {"samples": list(samples(archive)), "offsets": offsets(archive)}
(OUT / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
