EAPI=8

DESCRIPTION="A name with plus signs, and a slot that is not a number"
SLOT="2.0/2.12"
LAB_LIBRARY=sigc

inherit lab
