using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Quantization;
using Fewbit.Reports;
using Fewbit.Runtime;
using Fewbit.Tensors;
using ImageModel;

const int batchSize = 32;
string folder = AppContext.BaseDirectory, model = Path.Combine(folder, "model.onnx"), small = Path.Combine(folder, "model.int8.onnx"), page = Path.Combine(folder, "report.html");

// Two sets of pictures that have nothing in common: one to calibrate on, one to judge on.
SampleBatch[] calibration = [.. Batches(seed: 1, count: 8)], judging = [.. Batches(seed: 2, count: 16)];

using ModelRunner before = ModelRunner.Load(model);
QuantizationResult result = await Quantizer.For(model).Calibrate(calibration.Select(batch => batch.Inputs)).RunAsync();
result.Save(small);

using ModelRunner after = ModelRunner.Load(small);
EvaluationResult evaluation = ModelEvaluation.Compare(before, after, judging);
ClassificationResult scores = evaluation.Classification!;
Console.WriteLine($"top-1 on {scores.Samples} pictures: {scores.ReferenceTop1:P1} in float, {scores.Top1:P1} in int8; difference {scores.DifferenceInterval} (95 %)");

ComparisonReport layers = ModelComparison.Compare(result.FloatModel, result.Model, judging.Take(2), sensitivity: false);
HtmlReport.Of("model.onnx → model.int8.onnx", result, evaluation, layers).Write(page);
Console.WriteLine($"{new FileInfo(model).Length} bytes became {new FileInfo(small).Length}; all about it: {page}");

// Your own arrays come here: bytes [height, width, RGB] become numbers [N, 3, height, width], prepared as the model was trained.
static IEnumerable<SampleBatch> Batches(int seed, int count)
{
    var random = new Random(seed);
    for (int i = 0; i < count; i++)
    {
        var input = Tensor.Allocate(ElementType.Float32, [batchSize, 3, Drawings.Size, Drawings.Size]);
        Span<float> numbers = input.Span<float>();
        int[] labels = new int[batchSize];
        for (int n = 0; n < batchSize; n++)
        {
            (byte[] pixels, labels[n]) = Drawings.Next(random);
            int area = Drawings.Size * Drawings.Size;
            for (int c = 0; c < 3; c++)
            {
                for (int p = 0; p < area; p++) numbers[(n * 3 + c) * area + p] = pixels[3 * p + c] / 127.5f - 1;
            }
        }
        yield return new(new Dictionary<string, Tensor> { ["input"] = input }, batchSize, i * batchSize, labels);
    }
}
