EAPI=8

DESCRIPTION="May not be passed on"
RESTRICT="bindist"

inherit lab
