using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Runtime;
using Fewbit.Training;
using TextModel;

string folder = AppContext.BaseDirectory, model = Path.Combine(folder, "sentences.onnx"), small = Path.Combine(folder, "sentences.int8.onnx");

var trainer = new Trainer(SentenceClassifier.Build(), new() { Optimizer = new AdamW { LearningRate = 2e-3 } });
double loss = 0;
foreach (var batch in Sentences.Batches(seed: 1, count: 300)) loss = trainer.Step(Sentences.WithTarget(batch));
Graph trained = trainer.Model();
OnnxFile.Save(trained, model);
Console.WriteLine($"trained for {trainer.StepCount} steps, last loss {loss:F3}");

// Each batch names both inputs; so would a .npz file with the arrays "ids" and "mask" on the command line.
QuantizationResult result = await Quantizer.For(model).Calibrate(Sentences.Batches(seed: 2, count: 8).Select(batch => batch.Inputs)).RunAsync();
result.Save(small);
foreach (NodeReport node in result.Report.Nodes) Console.WriteLine($"  {node.OpType,-8} {node.Name,-20} {node.Applied}{(node.Reason.Length > 0 ? $": {node.Reason}" : "")}");

using ModelRunner before = ModelRunner.Load(model), after = ModelRunner.Load(small);
ClassificationResult scores = ModelEvaluation.Compare(before, after, Sentences.Batches(seed: 3, count: 32)).Classification!;
Console.WriteLine($"top-1 on {scores.Samples} sentences: {scores.ReferenceTop1:P1} in float, {scores.Top1:P1} in int8; difference {scores.DifferenceInterval} (95 %)");
Console.WriteLine($"{new FileInfo(model).Length} bytes became {new FileInfo(small).Length}");
