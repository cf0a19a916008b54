"""Training photos are read as photos that are restored are, in 8 bits."""

import io
import json
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from skimage import data as skimage_data

from ldrps.data.image_files import read_picture
from ldrps.data.photos import PhotoData, Photos

SRGB = ImageCms.createProfile("sRGB")


def shard_of(tmp_path, name, content):
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return tmp_path / "photos.tar"


def in_shard(tmp_path, name, content):
    """A picture as `Photos` decodes it from a shard, shape (H, W, 3)."""
    return Photos([str(shard_of(tmp_path, name, content))])._decode(0)


def encoded(image, kind, **settings):
    stream = io.BytesIO()
    image.save(stream, format=kind, **settings)
    return stream.getvalue()


@pytest.fixture
def photo():
    return Image.fromarray(skimage_data.coffee()).resize((30, 20))


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_eight_bit_jpegs_are_read_as_ever(tmp_path, photo):
    content = encoded(photo, "JPEG", quality=80)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert np.array_equal(in_shard(tmp_path, "0.jpg", content), expected)


def test_sixteen_bit_grey_keeps_its_range(tmp_path):
    grey = np.linspace(0, 65535, 256).reshape(16, 16).astype(np.uint16)
    pixels = in_shard(tmp_path, "0.png", encoded(Image.fromarray(grey), "PNG"))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels[..., 1], (grey / 65535 * 255).round())


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_exif_orientation_is_applied(tmp_path, photo, kind):
    name = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[kind]
    plain, own = (encoded(photo, name, exif=exif) for exif in (Image.Exif(), turned()))
    expected = np.rot90(np.asarray(Image.open(io.BytesIO(plain)).convert("RGB")), -1)
    assert np.array_equal(in_shard(tmp_path, f"0.{kind}", own), expected)


def modes(photo):
    rgba = photo.copy()
    rgba.putalpha(120)
    sixteen = Image.fromarray(np.linspace(0, 65535, 600).reshape(20, 30).astype(np.uint16))
    return {
        "rgb.png": encoded(photo, "PNG"),
        "rgba.png": encoded(rgba, "PNG"),
        "grey.jpg": encoded(photo.convert("L"), "JPEG"),
        "palette.png": encoded(photo.convert("P"), "PNG"),
        "cmyk.jpg": encoded(photo.convert("CMYK"), "JPEG"),
        "sixteen.tif": encoded(sixteen, "TIFF"),
        "ycbcr.tif": encoded(photo.convert("YCbCr"), "TIFF"),
        "negative.tif": encoded(sixteen, "TIFF", tiffinfo={262: 0}),
        "float.tif": encoded(Image.fromarray(np.linspace(0, 1, 600).reshape(20, 30).astype(np.float32)), "TIFF"),
        "profile.jpg": encoded(photo, "JPEG", icc_profile=ImageCms.ImageCmsProfile(SRGB).tobytes()),
        "broken.png": encoded(photo, "PNG", icc_profile=b"no profile"),
        "turned.jpg": encoded(photo, "JPEG", exif=turned()),
    }


@pytest.mark.parametrize("name", modes(Image.new("RGB", (30, 20))))
def test_any_kind_is_read_as_it_is_for_restoration(tmp_path, photo, name):
    content = modes(photo)[name]
    (tmp_path / name).write_bytes(content)
    restored = read_picture(tmp_path / name).image.permute(1, 2, 0)
    pixels = torch.from_numpy(in_shard(tmp_path, name, content).copy())
    torch.testing.assert_close(pixels / 255, restored, atol=0.5001 / 255, rtol=0)


@pytest.mark.parametrize("in_tar", [False, True])
def test_a_photo_that_cannot_be_read_is_named(tmp_path, photo, in_tar):
    cut = encoded(photo, "JPEG")[:-200]
    (tmp_path / "cut.jpg").write_bytes(cut)
    source = shard_of(tmp_path, "cut.jpg", cut) if in_tar else tmp_path
    name = r"photos.tar', byte 512" if in_tar else "cut.jpg'"
    with pytest.raises(ValueError, match=rf"^training photo '.*{name} cannot be read \(.*truncated.*\): take it out"):
        Photos([str(source)])[0]


def test_a_caption_that_is_no_text_is_named(tmp_path, photo):
    photo.save(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_bytes("é".encode("latin-1"))
    with pytest.raises(ValueError, match=r"^caption '.*a.txt' is not UTF-8"):
        Photos([str(tmp_path)])


@pytest.mark.parametrize(
    ("count", "num_held_out", "expected"),
    [
        (12, 3, [0, 4, 8]),
        (11, 3, [0, 3, 6]),
        (7, 5, [0, 2, 4, 6]),
        (4, 2, [0, 2]),
        (5, 0, []),
        (1, 1, [0]),
    ],
)
def test_one_photo_in_so_many_is_held_out_and_all_others_are_trained_on(tmp_path, count, num_held_out, expected):
    for number in range(count):
        Image.new("RGB", (2, 2)).save(tmp_path / f"{number:02}.png")
    data = PhotoData([str(tmp_path)], crop_size_px=2, num_held_out=num_held_out)
    data.setup("fit")
    assert list(data.held_out.indices) == expected
    assert sorted([*data.training.indices, *expected]) == list(range(count))


@pytest.mark.parametrize(("text", "captions"), [("", ()), ("\n \n", ()), ("\na cup\nof coffee\n", ("a cup",))])
def test_lines_with_nothing_in_them_are_no_captions(tmp_path, photo, text, captions):
    photo.save(tmp_path / "cup.png")
    (tmp_path / "cup.txt").write_text(text)
    assert [record.captions for record in Photos([str(tmp_path)]).records] == [captions]


@pytest.mark.parametrize(
    ("held", "captions"), [([""], ()), ([" ", "a cup", None], ("a cup",)), ("a cup", ("a cup",)), (None, ())]
)
def test_captions_of_a_shard_with_nothing_in_them_are_none(tmp_path, photo, held, captions):
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        for name, content in (
            ("0.png", encoded(photo, "PNG")),
            ("0.json", json.dumps({"captions": held}).encode()),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    data = PhotoData([str(tmp_path / "photos.tar")], crop_size_px=2, num_held_out=0, only_captioned=True)
    data.setup("fit")
    assert data.captions == list(captions)
    assert len(data.training) == bool(captions)


def test_shrunk_photos_have_the_fine_colours_that_files_lose(tmp_path):
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2, 0], stripes[:, 1::2, 2] = 250, 250
    doubled = Image.fromarray(stripes).resize((128, 128), Image.Resampling.NEAREST)
    for name, picture in (("fine.jpg", Image.fromarray(stripes)), ("large.jpg", doubled)):
        picture.save(tmp_path / name, quality=95, subsampling="4:2:0")

    def colour(share):
        fine, large = Photos([str(tmp_path)], 64, is_training=False, shrunk_share=share)
        return [float((each["image"][0] - each["image"][2]).std()) for each in (fine, large)]

    assert colour(0.0)[0] < 0.05
    assert colour(1.0)[1] > 0.3


def test_crops_larger_than_a_shrunk_photo_are_mirrored(tmp_path):
    Image.fromarray(skimage_data.astronaut()).resize((120, 100)).save(tmp_path / "photo.png")
    crop = Photos([str(tmp_path)], 80, is_training=False, shrunk_share=1.0)[0]["image"]
    assert crop.shape == (3, 80, 80)
    assert torch.equal(crop[:, 50:], crop[:, 20:50].flip(1))
    assert torch.equal(crop[:, :, 60:], crop[:, :, 40:60].flip(2))


def test_so_many_photos_are_shrunk_as_asked_for(tmp_path):
    Image.fromarray(skimage_data.astronaut()).resize((120, 100)).save(tmp_path / "photo.png")
    photos = Photos([str(tmp_path)], 80, aspect_jitter=0.0, shrunk_share=0.3)
    shrunk = [torch.equal(crop[:, 50:60], crop[:, 40:50].flip(1)) for crop in (photos[0]["image"] for _ in range(200))]
    assert 0.2 < sum(shrunk) / 200 < 0.4
    with pytest.raises(ValueError, match=r"shrunk_share=1.5 must lie"):
        Photos([str(tmp_path)], 80, shrunk_share=1.5)


def test_captions_that_are_no_object_are_one_sentence(tmp_path):
    shard = shard_of(tmp_path, "a.json", b'["a cat"]')
    with pytest.raises(ValueError, match=r"a\.json of shard '.*photos\.tar' is no JSON object"):
        Photos([str(shard)])
