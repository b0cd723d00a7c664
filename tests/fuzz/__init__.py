"""Random fault schedules over the whole twin, and the laws that hold at every moment of them."""
