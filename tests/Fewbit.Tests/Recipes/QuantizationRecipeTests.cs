using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Quantization;
using Fewbit.Transforms;

namespace Fewbit.Tests.Recipes;

public class QuantizationRecipeTests
{
    private const string Everything = """
        version: 1
        quantization:
          mode: static
          calibration: train
          samples: 256
          data: val
          seed: 7
          preprocess: imagenet
          labels: classes.txt
          input-shapes: ["x=1,3,224,224"]
          weights: uint4
          weight-granularity: tensor
          weight-range: percentile:99.5
          activations: uint6
          activation-range: minmax
          placement: paper
          first-last: {weights: 8, last-input: same, first-output: 8}
          transforms:
            - {name: equalize, sweeps: 7, largest-clip-cost: 0.5}
            - absorb-biases
            - {name: correct-biases, source: data, samples: 64}
          rounding: qdrop
          unit-input: {name: random-mix, mix-probability: 0.25}
          objective: {name: output-error, objective-power: 2.4}
          learning: {iterations: 500, rounding-weight: 0.1, rounding-rate: 0.002, scale-rate: 0, drop-probability: 0.75, batch-size: 16, time-budget: 10m, steps-by-unit: [{unit: weights/stem, steps: 40}]}
          exclude: [conv1]
          overrides:
            - layers: layer4.*
              weights: int8
              weight-range: mse
            - layers: [fc, "head?"]
              activations: uint8
              activation-range: qdrop
              weight-granularity: channel
              exclude: false
        """;

    [Fact]
    public void Parse_AllKeys_AreRead()
    {
        QuantizationRecipe recipe = QuantizationRecipe.Parse(Everything);
        Assert.Equal((QuantizationMode.Static, "train", 256, "val", 7, "imagenet", "classes.txt"), (recipe.Mode, recipe.Calibration, recipe.Samples, recipe.Data, recipe.Seed, recipe.Preprocess, recipe.Labels));
        Assert.Equal(["x=1,3,224,224"], recipe.InputShapes);
        QuantizationOptions options = recipe.Options;
        Assert.Equal(("uint4", "uint6", WeightGranularity.PerTensor, QuantizerPlacement.Paper), (options.Weights.Name, options.Activations!.Name, options.WeightGranularity, options.Placement));
        Assert.Equal((RangeRule.Percentile(99.5), RangeRule.MinMax), (options.WeightRange, options.ActivationRange));
        Assert.Equal((true, false, true), (options.KeepEdgesAt8Bits, options.KeepLastInputAt8Bits, options.KeepFirstOutputAt8Bits));
        Assert.Equal([new EqualizeLayers { Sweeps = 7, LargestClipCost = 0.5 }, new AbsorbBiases(), new CorrectBiases { Source = MeanSource.Data, Samples = 64 }], options.Transforms);
        LearningOptions learning = options.Learning;
        Assert.Equal((RoundingMethod.QDrop, UnitInput.RandomMix, 0.25, LearningObjective.OutputError, 2.4), (options.Method, learning.UnitInput, learning.MixProbability, learning.Objective, learning.ObjectivePower));
        Assert.Equal((500, 0.1, TimeSpan.FromMinutes(10), 7ul, 40), (learning.Iterations, learning.RoundingWeight, learning.TimeBudget, learning.Seed, learning.StepsByUnit!["weights/stem"]));
        Assert.Equal(["conv1"], options.Exclude);
        LayerOverride head = new() { Layers = "fc", Activations = IntegerFormat.UInt8, ActivationRange = RangeRule.QDrop, WeightGranularity = WeightGranularity.PerChannel, Exclude = false };
        Assert.Equal([new() { Layers = "layer4.*", Weights = IntegerFormat.Int8, WeightRange = RangeRule.MeanSquaredError }, head, head with { Layers = "head?" }], options.Overrides);
    }

    [Theory]
    [InlineData(Everything)]
    [InlineData("version: 1\nquantization: {}")]
    [InlineData("version: 1\nquantization: {target: ort-arm, runtime: ort-1.19}")]
    [InlineData("version: 1\nquantization: {activations: float, first-last: same, rounding: adaround}")]
    [InlineData("version: 1\nquantization: {rounding: brecq, unit-input: full-precision, objective: diagonal-fisher, seed: -9223372036854775808}")]
    [InlineData("version: 1\nquantization: {mode: weight-only, weights: uint4, block-size: 64, scheme: symmetric, form: matmulnbits, accuracy-level: 4, exclude: [a, 'b: c', \"d\\ne\", '', '~', '* x', '#']}")]
    [InlineData("version: 1\nquantization: {mode: dynamic, weights: int7, exclude: [' a ']}")]
    [InlineData("version: 1\nquantization: {mode: float16, keep-in-float: [Softmax], keep-inputs-and-outputs: false}")]
    public void ToYaml_OfAnyRecipe_ReadsBackAsTheSame(string text)
    {
        QuantizationRecipe recipe = QuantizationRecipe.Parse(text);
        string written = recipe.ToYaml();
        QuantizationRecipe again = QuantizationRecipe.Parse(written);
        Assert.Equal(written, again.ToYaml());
        Assert.Equivalent(recipe, again, strict: true);
    }

    [Fact]
    public void ToYaml_Defaults_StatesThem() => Assert.Equal("""
        version: 1
        quantization:
          mode: static
          weights: int8
          weight-granularity: channel
          activations: uint8
          placement: deploy
          first-last:
            weights: 8
          quantize-outputs: false
          rounding: nearest
          seed: 0

        """.ReplaceLineEndings("\n"), new QuantizationRecipe().ToYaml());

    [Fact]
    public void Parse_Target_DecidesWhatIsNotStated()
    {
        QuantizationOptions options = QuantizationRecipe.Parse("version: 1\nquantization: {target: ort-arm}").Options;
        Assert.Equal((Fewbit.Targets.ExportTarget.OrtArm, "int8"), (options.Target, options.Activations!.Name));
        Assert.Null(QuantizationRecipe.Parse("version: 1\nquantization: {target: ort-arm, activations: float}").Options.Activations);
    }

    [Fact]
    public void Write_ThenRead_GivesTheSame()
    {
        string path = Path.GetTempFileName();
        try
        {
            QuantizationRecipe.Parse(Everything).Write(path);
            Assert.Equal(QuantizationRecipe.Parse(Everything).ToYaml(), QuantizationRecipe.Read(path).ToYaml());
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("weigths: int8", "r.yaml line 3: quantization.weigths is unknown here; did you mean 'weights'?; there are activation-range, ")]
    [InlineData("weights: int17", "r.yaml line 3: quantization.weights is 'int17': there is no number format 'int17', expected int1 to int16, ")]
    [InlineData("weights: integer", "r.yaml line 3: quantization.weights is 'integer': ")]
    [InlineData("activation-range: msee", "r.yaml line 3: quantization.activation-range is 'msee': there is no range rule 'msee', expected minmax, ")]
    [InlineData("rounding: brecg", "r.yaml line 3: quantization.rounding is 'brecg', expected nearest, adaround, brecq, qdrop; did you mean 'brecq'?")]
    [InlineData("objective: output-error", "r.yaml line 3: quantization.objective is for a rounding that learns, and nearest learns nothing; state rounding: ")]
    [InlineData("rounding: qdrop\n  learning: {iterations: -1}", "r.yaml line 4: quantization.learning.iterations is -1, it must be in [0, 10000000]")]
    [InlineData("rounding: qdrop\n  learning:\n    time-budget: 10", "r.yaml line 5: quantization.learning.time-budget is '10': expected a number and s, m or h, such as ")]
    [InlineData("rounding: qdrop\n  unit-input: {name: full-precision, mix-probability: 0.5}", "r.yaml line 4: quantization.unit-input.mix-probability is unknown here; ")]
    [InlineData("first-last: 4", "r.yaml line 3: quantization.first-last.name is '4', expected 8, same")]
    [InlineData("transforms:\n    - equalise", "r.yaml line 4: quantization.transforms[0].name is 'equalise', expected equalize, absorb-biases, correct-biases; did you mean 'equalize'?")]
    [InlineData("transforms:\n    - {name: equalize, sweeps: 0}", "r.yaml line 4: quantization.transforms[0].sweeps is 0, it must be in [1, 100000]")]
    [InlineData("overrides:\n    - weights: int4", "r.yaml line 4: quantization.overrides[0] states no layers: names of nodes, or patterns with * and ?")]
    [InlineData("overrides:\n    - layers: a\n      bits: 4", "r.yaml line 5: quantization.overrides[0].bits is unknown here; there are activation-range, activations, exclude, layers, ")]
    [InlineData("mode: weight-only\n  activations: uint8", "r.yaml line 4: quantization.activations is unknown here; there are accuracy-level, block-size, ")]
    [InlineData("mode: weight-only\n  block-size: 48", "r.yaml line 4: quantization.block-size is '48': the block size is 48, expected 16, 32, 64, 128 or 256")]
    [InlineData("samples: 0", "r.yaml line 3: quantization.samples is 0, it must be in [1, 2147483647]")]
    [InlineData("exclude: {a: b}", "r.yaml line 3: quantization.exclude is a map, expected a list of texts")]
    public void Parse_Wrong_NamesFileLineAndKey(string keys, string message)
    {
        var problem = Assert.Throws<InvalidDataException>(() => QuantizationRecipe.Parse($"version: 1\nquantization:\n  {keys}", "r.yaml"));
        Assert.StartsWith(message, problem.Message, StringComparison.Ordinal);
    }
}
