EAPI=8

DESCRIPTION="A kernel module"
DEPEND="virtual/kernel"

inherit linux-mod-r1 lab
