"""FastAPI with a plain function, which it runs in its pool of threads: what most people write first."""

from fastapi import FastAPI, Response, UploadFile
from usual import Engine

app = FastAPI()
engine = Engine()


@app.post("/predict")
def predict(image: UploadFile) -> Response:
    """Answer one photograph."""
    return Response(engine.handle(image.file.read()), media_type="application/json")
