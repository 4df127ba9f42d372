EAPI=8

DESCRIPTION="The library at the bottom of everything"
LAB_LIBRARY=base

inherit lab
