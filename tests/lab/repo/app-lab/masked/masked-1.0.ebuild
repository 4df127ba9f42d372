EAPI=8

DESCRIPTION="Masked by the repository"

inherit lab
