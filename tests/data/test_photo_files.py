"""Restored photos keep what their files held: depth, grey, opacity, colours, EXIF, XMP, resolution."""

import io

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin
from skimage import data as skimage_data

from degradations.receipts import fingerprint
from ldrps.data.deep_files import turned
from ldrps.data.image_files import read_picture
from ldrps.data.own_colours import convert, srgb
from ldrps.data.photo_files import write_photo
from tests.builders import write_header

WHITE = [0.3127, 0.3290, 1.0]
WIDE = imagecodecs.cms_profile(
    "rgb", whitepoint=WHITE, primaries=[0.734, 0.265, 1, 0.115, 0.826, 1, 0.157, 0.018, 1], gamma=1.8
)
"""Primaries of Wide Gamut RGB, as photo programs use them, with another tone curve than sRGB's."""
GREY_GAMMA = imagecodecs.cms_profile("gray", whitepoint=WHITE, gamma=1.4)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6" xmp:Rating="5"/></x:xmpmeta>'


@pytest.fixture(scope="module")
def coffee():
    """A photo with colours that sRGB cannot hold once it is taken for wide-gamut RGB, shape (20, 30, 3)."""
    return np.asarray(Image.fromarray(skimage_data.coffee()).resize((30, 20)))


@pytest.fixture(scope="module")
def deep(coffee):
    """The photo with 16 bits, whose lower eight say something."""
    return coffee.astype(np.uint16) * 257 - np.arange(90, dtype=np.uint16).reshape(30, 3) * (coffee > 90)


def camera_data(orientation=1):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.ExposureTime: TiffImagePlugin.IFDRational(1, 125),
        ExifTags.Base.MakerNote: b"maker\0\1\2" * 9,
        ExifTags.Base.ExifImageWidth: 30,
        ExifTags.Base.ExifImageHeight: 20,
    }
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (52.0, 30.0, 1.5)}
    return exif


def rewrite(path, output, change=lambda image: image):
    """Write what was read, changed, and return the losses that were told."""
    photo = read_picture(path)
    return write_photo(change(photo.image), photo, output)


def seen(path):
    """Pixels as a viewer shows them: converted to sRGB by the file's own profile."""
    with Image.open(path) as image:
        profile = image.info.get("icc_profile")
        if not profile:
            return np.asarray(image.convert("RGB")).astype(int)
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return np.asarray(ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")) + 0


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif"])
def test_exif_xmp_and_resolution_are_kept_and_the_photo_is_upright(tmp_path, coffee, suffix):
    path, output = tmp_path / f"in{suffix}", tmp_path / "out" / f"out{suffix}"
    image, about = Image.fromarray(coffee), {"exif": camera_data(orientation=6), "dpi": (300, 150)}
    if suffix == ".png":
        about["pnginfo"] = PngImagePlugin.PngInfo()
        about["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    elif suffix == ".tif":
        # Pillow cannot write the directories of EXIF and GPS into a TIFF.
        for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            del about["exif"][directory]
        about["exif"][700] = XMP
    else:
        about["xmp"] = XMP
    image.save(path, quality=95, **about)
    assert rewrite(path, output) == []
    with Image.open(output) as written, Image.open(path) as read:
        assert written.size == (20, 30)
        assert written.format == read.format
        exif, details = written.getexif(), written.getexif().get_ifd(ExifTags.IFD.Exif)
        assert exif.get(ExifTags.Base.Orientation, 1) == 1
        assert exif[ExifTags.Base.Make] == "Camera"
        if suffix in (".png", ".jpg", ".tif"):
            assert np.allclose(np.array(written.info["dpi"], dtype=float), (150, 300), atol=0.1)
        if suffix != ".tif":
            assert details[ExifTags.Base.MakerNote] == b"maker\0\1\2" * 9
            assert details[ExifTags.Base.ExposureTime] == 1 / 125
            assert (details[ExifTags.Base.ExifImageWidth], details[ExifTags.Base.ExifImageHeight]) == (20, 30)
            assert exif.get_ifd(ExifTags.IFD.GPSInfo)[2] == (52.0, 30.0, 1.5)
        packet = written.info.get("xmp") or written.info.get("XML:com.adobe.xmp")
        packet = packet.encode() if isinstance(packet, str) else packet
        assert b'xmp:Rating="5"' in packet
        assert b'tiff:Orientation="6"' not in packet


def test_a_tiff_holds_all_of_a_photo_that_came_from_another_format(tmp_path, coffee):
    Image.fromarray(coffee).save(tmp_path / "in.jpg", exif=camera_data(), dpi=(240, 240), icc_profile=WIDE, xmp=XMP)
    assert rewrite(tmp_path / "in.jpg", tmp_path / "out.tif") == []
    with Image.open(tmp_path / "out.tif") as written:
        exif = written.getexif()
        assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] == b"maker\0\1\2" * 9
        assert exif.get_ifd(ExifTags.IFD.GPSInfo)[2] == (52.0, 30.0, 1.5)
        assert written.info["icc_profile"] == WIDE
        assert written.info["dpi"] == (240, 240)
    assert rewrite(tmp_path / "out.tif", tmp_path / "back.jpg") == []
    with Image.open(tmp_path / "back.jpg") as written:
        assert written.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] == b"maker\0\1\2" * 9
        assert ExifTags.Base.StripOffsets not in written.getexif()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_pixels_turn_as_pillow_turns(coffee, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stream = io.BytesIO()
    Image.fromarray(coffee).save(stream, format="PNG", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(stream)))
    assert np.array_equal(turned(coffee, orientation), expected)


@pytest.mark.parametrize("source", ["png", "lzw", "planar", "uncompressed"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_of_colour_come_in_and_out(tmp_path, deep, source, suffix, channels):
    pixels = np.ascontiguousarray(np.dstack([deep, deep[..., :1]])[..., :channels])
    if source == "png":
        (tmp_path / "in.png").write_bytes(imagecodecs.png_encode(pixels))
    else:
        more = {"compression": "lzw", "predictor": True} if source == "lzw" else {}
        planes = np.moveaxis(pixels, -1, 0) if source == "planar" else pixels
        more |= {"planarconfig": "separate"} if source == "planar" else {}
        more |= {"extrasamples": ["unassalpha"]} if channels == 4 else {}
        tifffile.imwrite(tmp_path / "in.png", planes, photometric="rgb", **more)
    photo = read_picture(tmp_path / "in.png")
    torch.testing.assert_close(photo.image, torch.from_numpy(deep.astype(np.float32)).permute(2, 0, 1) / 65535)
    assert write_photo(photo.image, photo, tmp_path / f"out{suffix}") == []
    again = read_picture(tmp_path / f"out{suffix}")
    assert fingerprint(again.image) == fingerprint(photo.image)
    independent = (tifffile.imread if suffix == ".tif" else imagecodecs.imread)(tmp_path / f"out{suffix}")
    assert np.array_equal(independent, pixels)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_of_grey_come_in_and_out(tmp_path, deep, suffix):
    Image.fromarray(deep[..., 0]).save(tmp_path / f"in{suffix}")
    assert rewrite(tmp_path / f"in{suffix}", tmp_path / f"out{suffix}") == []
    assert np.array_equal(imagecodecs.imread(tmp_path / f"out{suffix}"), deep[..., 0])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_of_grey_whose_zero_is_white_look_the_same_once_written(tmp_path, deep, suffix):
    tifffile.imwrite(tmp_path / "in.tif", deep[..., 0], photometric="miniswhite")
    assert rewrite(tmp_path / "in.tif", tmp_path / f"out{suffix}") == []
    assert np.array_equal(imagecodecs.imread(tmp_path / f"out{suffix}"), 65535 - deep[..., 0])
    photo, again = read_picture(tmp_path / "in.tif"), read_picture(tmp_path / f"out{suffix}")
    assert fingerprint(again.image) == fingerprint(photo.image)


@pytest.mark.parametrize(("extra", "is_opacity"), [("unspecified", False), ("assocalpha", True), ("unassalpha", True)])
@pytest.mark.parametrize("planar", [False, True])
def test_a_fourth_sample_of_sixteen_bits_is_opacity_where_the_file_says_so(tmp_path, deep, extra, is_opacity, planar):
    pixels = np.dstack([deep // 2, np.full((20, 30), 40_000, np.uint16)])
    more = {"planarconfig": "separate"} if planar else {}
    pixels = np.moveaxis(pixels, -1, 0) if planar else pixels
    tifffile.imwrite(tmp_path / "in.tif", pixels, photometric="rgb", extrasamples=[extra], **more)
    photo = read_picture(tmp_path / "in.tif")
    assert (photo.alpha is not None) == is_opacity
    scale = 40_000 if extra == "assocalpha" else 65535
    expected = torch.from_numpy((deep // 2).astype(np.float32)).permute(2, 0, 1) / scale
    torch.testing.assert_close(photo.image, expected, atol=2e-5, rtol=0)


def test_a_lab_photo_is_opaque(tmp_path, coffee):
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    ImageCms.applyTransform(Image.fromarray(coffee), to_lab).save(tmp_path / "in.tif")
    photo = read_picture(tmp_path / "in.tif")
    assert photo.image.shape == (3, 20, 30)
    assert photo.alpha is None


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize(("channels", "bits"), [(3, 32), (4, 32), (3, 16)])
def test_colours_as_floats_are_called_that(tmp_path, coffee, channels, bits, bigtiff):
    colours = np.dstack([coffee / 255, np.ones((20, 30))])[..., :channels].astype(f"float{bits}")
    tifffile.imwrite(tmp_path / "in.tif", colours, photometric="rgb", bigtiff=bigtiff)
    with pytest.raises(ValueError, match=r"in\.tif holds colours as floats, which are not read: save it with 16 bits"):
        read_picture(tmp_path / "in.tif")


@pytest.mark.parametrize(
    "content", [b"no", b"hello world, this is text", b"II*\0\xff\xff\xff\x7f", b"II*\0\x08\0\0\0\x05\0"]
)
def test_what_is_no_picture_is_called_that(tmp_path, content, capfd):
    (tmp_path / "in.tif").write_bytes(content)
    with pytest.raises(ValueError, match=r"in\.tif is (not a picture that can be read|damaged or cut short)"):
        read_picture(tmp_path / "in.tif")
    assert capfd.readouterr().err == ""


def test_a_cut_sixteen_bit_file_is_one_sentence(tmp_path, deep):
    (tmp_path / "in.png").write_bytes(imagecodecs.png_encode(np.tile(deep, (9, 9, 1)))[:-3000])
    with pytest.raises(ValueError, match=r"in\.png is damaged or cut short"):
        read_picture(tmp_path / "in.png")


@pytest.mark.parametrize(
    ("tag", "field", "value"),
    [("ImageLength", 4, 2), ("StripOffsets", 2, 2), ("SamplesPerPixel", 4, 2), ("RowsPerStrip", 4, 0)],
)
def test_a_sixteen_bit_tiff_with_a_damaged_tag_is_one_sentence(tmp_path, deep, tag, field, value):
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, deep[:4], photometric="rgb")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        # Of a tag's twelve bytes, its type begins at the third and the count of its values at the fifth.
        content[file.pages[0].tags[tag].offset + field] = value
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"in\.tif is damaged or cut short"):
        read_picture(path)


@pytest.mark.parametrize("bits", [8, 16])
def test_colours_outside_srgb_survive_and_a_change_is_seen_as_it_was_made(tmp_path, coffee, deep, bits):
    path, output = tmp_path / "in.tif", tmp_path / "out.png"
    pixels = coffee if bits == 8 else deep
    tifffile.imwrite(path, pixels, photometric="rgb", iccprofile=WIDE)
    photo = read_picture(path)
    write_photo(photo.image, photo, output)
    assert np.array_equal(imagecodecs.imread(output), pixels)  # some were clipped on the way to sRGB
    with Image.open(output) as written:
        assert written.info["icc_profile"] == WIDE
    darker = photo.image * 0.6
    write_photo(darker, photo, output)
    inside = ((photo.image > 0.02) & (photo.image < 0.98)).all(0).numpy()
    written = imagecodecs.imread(output).astype(np.uint16) * (257 if bits == 8 else 1)
    shown = convert(written, WIDE, srgb(), "rgb") / 257
    difference = shown - (darker * 255).permute(1, 2, 0).numpy()
    assert inside.mean() > 0.3
    # Eight bits of this profile are coarser than eight bits of sRGB in the shadows.
    assert np.abs(difference[inside]).max() < (4 if bits == 8 else 0.1)


def test_a_wide_gamut_photo_is_restored_in_srgb(tmp_path, coffee):
    Image.fromarray(coffee).save(tmp_path / "in.png", icc_profile=WIDE)
    read = (read_picture(tmp_path / "in.png").image * 255).permute(1, 2, 0).numpy().round()
    assert np.array_equal(read, seen(tmp_path / "in.png"))
    eight = ((read_picture(tmp_path / "in.png").image) * 255).round()
    tifffile.imwrite(tmp_path / "deep.png", coffee.astype(np.uint16) * 257, photometric="rgb", iccprofile=WIDE)
    sixteen = read_picture(tmp_path / "deep.png").image * 255
    # Rounding to eight bits on the way is all that tells them apart; it shows most in the shadows.
    assert (eight - sixteen).abs().mean() < 0.5


@pytest.mark.parametrize("profile", [b"", GREY_GAMMA])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_grey_stays_grey_with_its_profile(tmp_path, coffee, profile, suffix):
    grey = Image.fromarray(coffee).convert("L")
    grey.save(tmp_path / "in.png", icc_profile=profile)
    assert rewrite(tmp_path / "in.png", tmp_path / f"out{suffix}") == []
    with Image.open(tmp_path / f"out{suffix}") as written:
        assert written.mode == "L"
        assert written.info.get("icc_profile", b"") == profile
        assert np.abs(np.asarray(written).astype(int) - np.asarray(grey)).max() <= (9 if suffix == ".jpg" else 0)


def test_grey_that_was_given_colour_has_colour(tmp_path, coffee):
    Image.fromarray(coffee).convert("L").save(tmp_path / "in.png", icc_profile=GREY_GAMMA)
    colour = torch.from_numpy(coffee.copy()).permute(2, 0, 1) / 255
    rewrite(tmp_path / "in.png", tmp_path / "out.png", lambda image: colour)
    with Image.open(tmp_path / "out.png") as written:
        assert np.array_equal(np.asarray(written), coffee)
        assert "icc_profile" not in written.info


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_opacity_is_kept_with_the_profile(tmp_path, coffee, mode, suffix):
    image = Image.fromarray(coffee).convert(mode)
    image.putalpha(Image.fromarray(coffee[..., 1]))
    image.save(tmp_path / "in.png", icc_profile=WIDE if mode == "RGBA" else GREY_GAMMA)
    assert rewrite(tmp_path / "in.png", tmp_path / f"out{suffix}") == []
    with Image.open(tmp_path / f"out{suffix}") as written:
        assert np.array_equal(np.asarray(written.convert("RGBA")), np.asarray(image.convert("RGBA")))
        assert written.info["icc_profile"] == (WIDE if mode == "RGBA" else GREY_GAMMA)


def test_what_a_format_cannot_hold_is_told(tmp_path, deep):
    (tmp_path / "in.png").write_bytes(imagecodecs.png_encode(np.dstack([deep, deep[..., :1]])))
    losses = rewrite(tmp_path / "in.png", tmp_path / "out.jpg")
    assert len(losses) == 2
    assert "JPEG holds 8 of its 16 bits" in losses[0]
    assert "JPEG holds no transparency" in losses[1]
    wide = read_picture(tmp_path / "in.png")
    with pytest.raises(ValueError, match=r"WEBP holds 16383 pixels a side at most, the photo has 16384 x 1"):
        write_photo(torch.rand(3, 1, 16384), wide, tmp_path / "out.webp")


def test_jpeg_keeps_the_resolution_of_its_colours(tmp_path, coffee):
    Image.fromarray(coffee).save(tmp_path / "in.jpg", quality=98)
    rewrite(tmp_path / "in.jpg", tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as written:
        assert [component[1:3] for component in written.layer] == [(1, 1)] * 3
        assert written.quantization[0][0] <= 2  # quality 95


@pytest.mark.parametrize("profile", [b"no profile", WIDE[:200], GREY_GAMMA])
def test_a_damaged_profile_is_told_and_left_out(tmp_path, coffee, profile):
    Image.fromarray(coffee).save(tmp_path / "in.png", icc_profile=profile)
    photo = read_picture(tmp_path / "in.png")
    assert [note.partition(":")[0] for note in photo.original.notes] == [
        "its colour profile is damaged or does not fit the picture"
    ]
    write_photo(photo.image, photo, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as written:
        assert np.array_equal(np.asarray(written), coffee)
        assert "icc_profile" not in written.info


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_damaged_exif_data_is_no_reason_to_fail(tmp_path, coffee, suffix):
    good, rng = camera_data(orientation=3).tobytes(), np.random.default_rng(0)
    for number in range(30):
        damaged = bytearray(good)
        for position in rng.integers(6, len(good), 1 + number % 12):
            damaged[position] = rng.integers(256)
        Image.fromarray(coffee).save(tmp_path / f"in{suffix}", exif=bytes(damaged))
        assert rewrite(tmp_path / f"in{suffix}", tmp_path / f"out{suffix}") == []
        assert read_picture(tmp_path / f"out{suffix}").image.shape == (3, 20, 30)


def test_unreadable_exif_data_is_told(tmp_path, coffee):
    Image.fromarray(coffee).save(tmp_path / "in.png", exif=b"Exif\0\0XX*\0\x08\0\0\0")
    [note] = read_picture(tmp_path / "in.png").original.notes
    assert "its EXIF data is damaged and was left out" in note


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".tif", ".png"])
def test_of_several_pictures_the_first_is_read_and_that_is_told(tmp_path, coffee, suffix):
    first = Image.fromarray(coffee).quantize(64) if suffix == ".gif" else Image.fromarray(coffee)
    more = {"lossless": True} if suffix == ".webp" else {}
    first.save(tmp_path / f"in{suffix}", save_all=True, append_images=[first.rotate(180), first.rotate(90)], **more)
    photo = read_picture(tmp_path / f"in{suffix}")
    assert photo.original.notes == ("it holds 3 pictures: only the first is restored",)
    assert np.array_equal((photo.image * 255).permute(1, 2, 0).numpy().round(), np.asarray(first.convert("RGB")))


def test_heic_comes_in_and_out_where_its_reader_is_installed(tmp_path, coffee, monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    Image.fromarray(coffee).save(tmp_path / "in.heic", exif=camera_data(), icc_profile=srgb(), quality=95)
    assert rewrite(tmp_path / "in.heic", tmp_path / "out.heic") == []
    with Image.open(tmp_path / "out.heic") as written:
        assert written.getexif()[ExifTags.Base.Make] == "Camera"
        assert written.size == (30, 20)


def test_heic_without_its_reader_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "in.heic").write_bytes(b"anything")
    monkeypatch.setattr("ldrps.data.image_files.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"in\.heic is HEIC, which needs pillow-heif: pip install 'ldrps\[heic\]'"):
        read_picture(tmp_path / "in.heic")


def test_three_hundred_megapixels_are_refused_by_their_header(tmp_path):
    write_header(tmp_path / "panorama.png", 30_000, 10_000)
    with pytest.raises(ValueError, match=r"30000 x 10000 pixels, more than max_pixels=64000000"):
        read_picture(tmp_path / "panorama.png")


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("extra", ["assocalpha", "unassalpha"])
def test_sixteen_bits_of_grey_with_opacity_come_in_and_out_of_a_tiff(tmp_path, deep, byteorder, extra):
    pixels = np.dstack([deep[..., 0] // 2, np.full((20, 30), 40_000, np.uint16)])
    options = {"photometric": "minisblack", "extrasamples": [extra], "planarconfig": "contig", "byteorder": byteorder}
    tifffile.imwrite(tmp_path / "in.tif", pixels, **options)
    photo = read_picture(tmp_path / "in.tif")
    scale = 40_000 if extra == "assocalpha" else 65535
    expected = torch.from_numpy(pixels[..., 0].astype(np.float32)) / scale
    torch.testing.assert_close(photo.image, expected.expand(3, -1, -1), atol=2e-5, rtol=0)
    assert write_photo(photo.image, photo, tmp_path / "out.tif") == []
    again = read_picture(tmp_path / "out.tif")
    assert fingerprint(again.image) == fingerprint(photo.image)
    assert tifffile.imread(tmp_path / "out.tif").shape == (20, 30, 2)
    assert np.array_equal(tifffile.imread(tmp_path / "out.tif")[..., 1], pixels[..., 1])
