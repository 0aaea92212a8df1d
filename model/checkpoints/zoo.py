"""Where published weights lie, and under which terms, as data.

Addresses: the READMEs of Detectron2's project and of the original repository, its `tools_d2` included.
"""

from dataclasses import dataclass

DETECTRON2 = "https://dl.fbaipublicfiles.com/detectron2/PanopticDeepLab/"
DRIVE = "https://drive.google.com/file/d/"
FOLDERS = "https://drive.google.com/drive/folders/"

DETECTRON2_LICENCE = "CC BY-SA 3.0, the licence of Detectron2's models"
UNSTATED = "none stated by its authors for the weights"
CITYSCAPES = "Cityscapes fine (research and other non-commercial use only), backbone from ImageNet"
COCO = "COCO panoptic 2017 (annotations CC BY 4.0, photographs under Flickr's terms), backbone from ImageNet"


@dataclass(frozen=True)
class Publication:
    """Published weights of one variant."""

    variant: str
    url: str
    licence: str  # in words
    training_data: str  # in words

    @property
    def file(self) -> str:
        """The file's name in a cache."""
        return f"{self.variant}.pkl" if self.url.endswith(".pkl") else f"{self.variant}.pth"

    @property
    def is_folder(self) -> bool:
        """Whether the address leads to a page of several files, from which a person must choose."""
        return self.url.startswith(FOLDERS)


def _detectron2(variant: str, place: str, training_data: str = CITYSCAPES) -> Publication:
    return Publication(variant, DETECTRON2 + place, DETECTRON2_LICENCE, training_data)


def _drive(variant: str, file: str, training_data: str = CITYSCAPES) -> Publication:
    return Publication(variant, f"{DRIVE}{file}", UNSTATED, training_data)


_CITYSCAPES = "Cityscapes-PanopticSegmentation/panoptic_deeplab_R_52_os16_mg124_poly_90k_bs32"
_COCO = "COCO-PanopticSegmentation/panoptic_deeplab_R_52_os16_mg124_poly_200k_bs64_crop_640_640_coco_dsconv"

ZOO: dict[str, Publication] = {
    row.variant: row
    for row in (
        _detectron2("r52-dc5", f"{_CITYSCAPES}/model_final_bd324a.pkl"),
        _detectron2("r52-dc5-dsconv", f"{_CITYSCAPES}_crop_512_1024_dsconv/model_final_23d03a.pkl"),
        _detectron2("r52-dc5-dsconv-coco", f"{_COCO}/model_final_5e6da2.pkl", COCO),
        _drive("xception65-dc5", "1F9Biuu9UmgfCyatP5yQTYN5V5_YyVGA2"),
        _drive("xception65-dc5-dsconv", "1ZR3YxFEdwF498NWq9ENFCEsTIiOjvMbp"),
        _drive("xception65-dc5-dsconv-coco", "1FVj1amFkkbwL9RTba2oUYcwlD1JJMx-T", COCO),
        _drive("hrnet48", "1jQp844gR9NvAXmSXNuRgiY516LsRbTSN"),
        _drive("hrnet48-dsconv", "1t1WB5GUtiwaL0UHngthX7_kWt0rBRNcO"),
        _drive("hrnet48-dsconv-coco", "17bl_n0SUXVktA0x2507dlwmti7s8FIpe", COCO),
        _drive("r50-os32", "1IhZXtLpVkzhH4S2k27zARM8kUI7G6Hfn"),
        _drive("r101-os32", "1I26-bTW55crVLqCFB4lhKdIzz8y3X8qR"),
        _drive("resnext101-os32", "10u5w8dbHysSI1HMbfLLuCMV8kpyeDMcO"),
        _drive("xception65-os32", "1TjN5gUyzA8Q2HqnP6jBu62GRTyAntQeQ"),
        _drive("mobilenet-v2-os32", "1E5wsJuYIjKRt1YQm_lV-bDdyL_1UCaDR"),
        Publication("hrnet48-os4", f"{FOLDERS}1bJLyZkKsharpGykxjR7hmb6yzp8nmxMj", UNSTATED, CITYSCAPES),
    )
}
