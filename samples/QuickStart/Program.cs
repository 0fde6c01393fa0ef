using Fewbit.Quantization;
using Fewbit.Runtime;
using Fewbit.Tensors;

string folder = AppContext.BaseDirectory, model = Path.Combine(folder, "model.onnx"), small = Path.Combine(folder, "model.int8.onnx");

// Your own samples come here, prepared as the model takes them. These are 64 random pictures, 16 a batch.
var random = new Random(1);
Dictionary<string, Tensor> Batch() => new() { ["input"] = Tensor.From<float>([.. Enumerable.Range(0, 16 * 3 * 32 * 32).Select(_ => 2 * random.NextSingle() - 1)], [16, 3, 32, 32]) };

QuantizationResult result = await Quantizer.For(model).Calibrate(Enumerable.Range(0, 4).Select(_ => Batch())).RunAsync();
result.Save(small);

using ModelRunner before = ModelRunner.Load(model), after = ModelRunner.Load(small);
Dictionary<string, Tensor> batch = Batch();
float first = before.Run(batch)["logits"].Span<float>()[0], second = after.Run(batch)["logits"].Span<float>()[0];

Console.WriteLine($"{result.Report.Nodes.Count(node => node.Outcome == NodeOutcome.Integer)} nodes run on codes, {new FileInfo(model).Length} bytes became {new FileInfo(small).Length}");
Console.WriteLine($"the first logit was {first:F3} in float and is {second:F3} in int8");
